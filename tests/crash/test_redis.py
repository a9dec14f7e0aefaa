"""Redis carries wake-ups. When it dies, with its data or without, no work is lost and none is done again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from tests.crash import speech
from tests.crash.conftest import Undisturbed
from tests.crash.deployment import WORKERS, Deployment, wait_for
from tests.crash.provider import Provider

pytestmark = pytest.mark.stack

ONCE = ("recording.created", "recording.transcription.started", "recording.transcription.completed")


@pytest.mark.parametrize("with_data", [False, True], ids=["data kept", "data lost"])
def test_redis_killed_while_jobs_run_and_wait(
    deployment: Deployment,
    provider: Provider,
    undisturbed: Undisturbed,
    assert_sent_once: Callable[..., None],
    *,
    with_data: bool,
) -> None:
    provider.hold_after(2)
    running = deployment.upload(speech.long_recording())
    provider.wait_for(4)
    waiting = [deployment.upload(speech.short_recording()) for _ in range(2)]
    deployment.lose_redis(with_data=with_data)
    provider.hold_after(2)  # the chunks under way end, and others begin, while Redis is away
    provider.wait_for(6)
    time.sleep(2.5)  # long enough for every worker to have looked for it
    assert deployment.status(running)["status"] == "PROCESSING", "users can still look"
    deployment.redis.start()
    provider.go_on()
    back = time.monotonic()
    for recording in (running, *waiting):
        deployment.wait_until_done(recording)
        assert_sent_once(recording, *ONCE)
    assert time.monotonic() - back < 60
    assert deployment.transcript(running) == undisturbed.transcript
    counts = provider.counts()
    assert {piece: counts[piece] for piece in undisturbed.pieces} == dict(undisturbed.pieces)
    assert sum(counts.values()) == len(undisturbed.pieces) + len(waiting)
    assert all(deployment.is_running(name) for name in WORKERS), "a worker did not outlive Redis"


def test_a_horse_that_dies_after_redis_has_forgotten_its_job_is_missed_at_once(
    deployment: Deployment, provider: Provider, undisturbed: Undisturbed, shared_by_both: int
) -> None:
    deployment.lose_redis(with_data=True)
    deployment.redis.start()
    os.kill(deployment.horses()[deployment.owner_of(shared_by_both)], signal.SIGKILL)
    provider.wait_for(5)
    wait_for(lambda: sum(deployment.setbacks(shared_by_both)) > 0, "the death is noticed")
    assert deployment.setbacks(shared_by_both) == (1, 0), "only the end of its lease told"
    provider.go_on()
    deployment.wait_until_done(shared_by_both)
    assert deployment.transcript(shared_by_both) == undisturbed.transcript


def test_an_upload_while_redis_is_away_is_taken_and_worked_on_later(deployment: Deployment) -> None:
    deployment.lose_redis(with_data=False)
    recording = deployment.upload(speech.short_recording())
    deployment.redis.start()
    deployment.wait_until_done(recording, seconds=15)


def test_a_lost_ring_is_rung_again_in_seconds(deployment: Deployment, provider: Provider) -> None:
    provider.hold_after(0)
    running = [deployment.upload(speech.short_recording()) for _ in WORKERS]
    provider.wait_for(len(WORKERS))
    waiting = deployment.upload(speech.short_recording())
    deployment.redis.flush()
    provider.go_on()
    began = time.monotonic()
    for recording in (*running, waiting):
        deployment.wait_until_done(recording)
    assert time.monotonic() - began < 40
    wait_for(lambda: deployment.job(waiting)["state"] == "succeeded", "done")
