"""The same on PostgreSQL, one after the other: one such house is enough."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from tests.crash import speech
from tests.crash.conftest import Undisturbed
from tests.crash.house import DISPATCHER, WEB, House
from tests.crash.provider import Provider

pytestmark = pytest.mark.stack

on_postgresql = pytest.mark.parametrize("house", ["postgres_house"], indirect=True)


@on_postgresql
def test_kill_after_kill(
    house: House,
    provider: Provider,
    undisturbed: Undisturbed,
    heard_by_both: int,
    assert_told_once: Callable[..., None],
) -> None:
    killed = time.monotonic()
    os.kill(house.horses()[house.owner_of(heard_by_both)], signal.SIGKILL)
    assert provider.wait_for(5)[-1].began - killed < 5

    house.lose_redis(with_data=True)
    waiting = house.upload(speech.short_recording())
    house.kill(WEB)
    house.kill(DISPATCHER)
    house.redis.start()
    house.start(WEB, DISPATCHER)
    house.wait_until_ready()

    house.kill(house.owner_of(heard_by_both), signal.SIGTERM)
    query = "SELECT crashes, losses, attempts, state FROM jobs WHERE recording_id = :id"
    assert [tuple(row) for row in house.rows(query, id=heard_by_both)] == [(1, 0, 0, "queued")]
    provider.go_on()
    for recording in (heard_by_both, waiting):
        house.wait_until_done(recording)
        assert_told_once(
            recording,
            "recording.created",
            "recording.transcription.started",
            "recording.transcription.completed",
            "recording.summary.completed",
        )
    assert house.transcript(heard_by_both) == undisturbed.transcript
    again = provider.counts() - undisturbed.pieces
    assert sum(again.values()) <= 2 + 1, "two kills, two chunks; the other recording has one"
