"""Work horses and workers that are killed while they hear a recording."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.crash import speech
from tests.crash.conftest import Undisturbed
from tests.crash.house import DISPATCHER, EVERYBODY, WEB, WORKERS, House, wait_for
from tests.crash.provider import Provider

pytestmark = pytest.mark.stack

RESUMED_WITHIN_SECONDS = 15.0

COMPLETED = ("recording.created", "recording.transcription.started", "recording.transcription.completed")


def recomputed(provider: Provider, undisturbed: Undisturbed) -> int:
    """Return how many chunks were sent again; no other chunk than those of the undisturbed run may be sent."""
    counts = provider.counts()
    assert counts.keys() == undisturbed.pieces.keys()
    return sum((counts - undisturbed.pieces).values())


def test_a_killed_work_horse_costs_the_chunk_it_was_hearing(
    house: House,
    provider: Provider,
    undisturbed: Undisturbed,
    heard_by_both: int,
    assert_told_once: Callable[..., None],
) -> None:
    owner = house.owner_of(heard_by_both)
    killed = time.monotonic()
    os.kill(house.horses()[owner], signal.SIGKILL)
    again = provider.wait_for(5)[-1]
    assert again.began - killed < RESUMED_WITHIN_SECONDS / 3, "a dead horse is seen at once"
    provider.go_on()
    house.wait_until_done(heard_by_both)
    assert house.transcript(heard_by_both) == undisturbed.transcript
    assert recomputed(provider, undisturbed) == 1
    assert_told_once(heard_by_both, *COMPLETED, "recording.summary.completed")


def test_a_killed_helper_costs_its_chunk_and_is_replaced(
    house: House, provider: Provider, undisturbed: Undisturbed, heard_by_both: int
) -> None:
    (helper,) = set(WORKERS) - {house.owner_of(heard_by_both)}
    os.kill(house.horses()[helper], signal.SIGKILL)
    provider.wait_for(5)
    assert set(house.workers_at(heard_by_both)) == set(WORKERS), "nobody was called to help again"
    provider.go_on()
    house.wait_until_done(heard_by_both)
    assert house.transcript(heard_by_both) == undisturbed.transcript
    assert recomputed(provider, undisturbed) == 1


@pytest.mark.parametrize("with_horse", [True, False], ids=["parent and horse", "parent only"])
def test_a_killed_worker_is_missed_by_the_others(
    house: House,
    provider: Provider,
    undisturbed: Undisturbed,
    heard_by_both: int,
    assert_told_once: Callable[..., None],
    *,
    with_horse: bool,
) -> None:
    owner = house.owner_of(heard_by_both)
    horse = house.horses()[owner]
    killed = time.monotonic()
    (house.kill if with_horse else house.kill_parent_only)(owner)
    wait_for(lambda: horse not in house.processes(), "the horse gone with its parent", 3)
    provider.go_on()
    wait_for(lambda: max(provider.counts().values()) == 2, "its chunk heard again", 20)
    assert time.monotonic() - killed < RESUMED_WITHIN_SECONDS
    house.wait_until_done(heard_by_both)
    assert house.transcript(heard_by_both) == undisturbed.transcript
    assert recomputed(provider, undisturbed) == 1
    assert_told_once(heard_by_both, *COMPLETED)


def test_a_worker_lost_with_its_machine_is_missed_when_its_lease_ends(
    house: House, provider: Provider, undisturbed: Undisturbed, heard_by_both: int
) -> None:
    for lifeline in (house.folder / "scratch").glob("speakr-worker-*"):
        lifeline.unlink()  # nobody can look at another machine's
    killed = time.monotonic()
    house.kill(house.owner_of(heard_by_both))
    provider.go_on()
    wait_for(lambda: max(provider.counts().values()) == 2, "its chunk heard again", 20)
    assert time.monotonic() - killed < RESUMED_WITHIN_SECONDS
    house.wait_until_done(heard_by_both)
    assert house.transcript(heard_by_both) == undisturbed.transcript
    assert recomputed(provider, undisturbed) == 1


def test_a_worker_that_is_told_to_stop_hands_its_work_over(
    house: House, provider: Provider, undisturbed: Undisturbed, heard_by_both: int
) -> None:
    owner = house.owner_of(heard_by_both)
    told = time.monotonic()
    house.kill(owner, signal.SIGTERM)
    assert time.monotonic() - told < 5
    query = "SELECT crashes, losses, attempts, state FROM jobs WHERE recording_id = :id"
    assert [tuple(row) for row in house.rows(query, id=heard_by_both)] == [(0, 0, 0, "queued")]
    provider.go_on()
    house.wait_until_done(heard_by_both, seconds=8)
    assert house.transcript(heard_by_both) == undisturbed.transcript
    assert recomputed(provider, undisturbed) <= 1


def test_after_a_power_cut_everything_goes_on(
    house: House,
    provider: Provider,
    undisturbed: Undisturbed,
    heard_by_both: int,
    assert_told_once: Callable[..., None],
) -> None:
    waiting = house.upload(speech.short_recording())
    house.lose_redis(with_data=True)
    for name in (*WORKERS, DISPATCHER, WEB):
        house.kill(name)
    provider.go_on()
    house.redis.start()
    house.start(*EVERYBODY)
    house.wait_until_ready()
    back = time.monotonic()
    wait_for(lambda: sum(provider.counts().values()) > 4, "somebody at work", 20)
    assert time.monotonic() - back < RESUMED_WITHIN_SECONDS
    house.wait_until_done(heard_by_both)
    house.wait_until_done(waiting)
    assert house.transcript(heard_by_both) == undisturbed.transcript
    for recording in (heard_by_both, waiting):
        assert_told_once(recording, *COMPLETED)


def test_a_recording_that_kills_every_horse_is_set_aside(
    house: House, provider: Provider, assert_told_once: Callable[..., None]
) -> None:
    provider.hold_after(0)
    poison = house.upload(speech.short_recording())
    for time_around in range(1, 4):
        provider.wait_for(time_around)
        os.kill(house.horses()[house.owner_of(poison)], signal.SIGKILL)
    house.wait_until_done(poison, status="FAILED")
    assert house.job(poison)["error_code"] == "worker_crashed"
    assert "crashed" in house.get(f"/recordings/{poison}")["error_message"]
    assert sum(provider.counts().values()) == 3
    assert_told_once(poison, "recording.transcription.failed")

    provider.go_on()
    other = house.upload(speech.short_recording())
    house.wait_until_done(other)
    assert house.call("POST", f"/jobs/{house.job(poison)['id']}/retry").status_code == 202
    house.wait_until_done(poison)
    assert house.transcript(poison) == house.transcript(other)


def test_two_workers_share_the_chunks_of_one_recording(
    house: House, provider: Provider, undisturbed: Undisturbed
) -> None:
    provider.hold_after(0)
    recording = house.upload(speech.long_recording())
    provider.wait_for(2)
    assert set(house.workers_at(recording)) == set(WORKERS)
    provider.go_on()
    house.wait_until_done(recording)
    assert provider.counts() == Counter(undisturbed.pieces)
    assert house.transcript(recording) == undisturbed.transcript


def test_a_horse_killed_while_it_decodes_leaves_no_files(house: House, undisturbed: Undisturbed) -> None:
    recording = house.upload(speech.long_recording())
    wait_for(house.scratch_folders, "decoding", 10)
    (horse,) = house.horses().values()
    os.kill(horse, signal.SIGKILL)
    house.wait_until_done(recording)
    assert house.scratch_folders() == []
    assert house.transcript(recording) == undisturbed.transcript
