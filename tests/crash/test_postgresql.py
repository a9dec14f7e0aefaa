"""The same on PostgreSQL, one after the other: one such deployment is enough."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from tests.crash import speech
from tests.crash.conftest import Undisturbed
from tests.crash.deployment import DISPATCHER, WEB, WORKERS, Deployment, wait_for
from tests.crash.provider import Provider

pytestmark = pytest.mark.stack

on_postgresql = pytest.mark.parametrize("deployment", ["postgres_deployment"], indirect=True)


@on_postgresql
def test_kill_after_kill(
    deployment: Deployment,
    provider: Provider,
    undisturbed: Undisturbed,
    shared_by_both: int,
    assert_sent_once: Callable[..., None],
) -> None:
    os.kill(deployment.horses()[deployment.owner_of(shared_by_both)], signal.SIGKILL)
    provider.wait_for(5)
    wait_for(lambda: sum(deployment.setbacks(shared_by_both)) > 0, "the death is noticed")
    assert deployment.setbacks(shared_by_both) == (1, 0), "only the end of its lease told"

    deployment.lose_redis(with_data=True)
    waiting = deployment.upload(speech.short_recording())
    deployment.kill(WEB)
    deployment.kill(DISPATCHER)
    deployment.redis.start()
    deployment.start(WEB, DISPATCHER)
    deployment.wait_until_ready()

    # The worker that was freed helps with the next chunk while the job pauses, and then nobody owns the job.
    at_work = [name for name in WORKERS if deployment.owns(name, shared_by_both)] or WORKERS
    deployment.kill(at_work[0], signal.SIGTERM)
    query = "SELECT crashes, losses, attempts, state FROM jobs WHERE recording_id = :id"
    assert [tuple(row) for row in deployment.rows(query, id=shared_by_both)] == [(1, 0, 0, "queued")]
    provider.go_on()
    for recording in (shared_by_both, waiting):
        deployment.wait_until_done(recording)
        assert_sent_once(
            recording,
            "recording.created",
            "recording.transcription.started",
            "recording.transcription.completed",
            "recording.summary.completed",
        )
    assert deployment.transcript(shared_by_both) == undisturbed.transcript
    again = provider.counts() - undisturbed.pieces
    assert sum(again.values()) <= 2 + 1, "two kills, two chunks; the other recording has one"
