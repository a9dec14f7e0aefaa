"""Work horses and workers that are killed during a transcription."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.crash import speech
from tests.crash.conftest import Undisturbed
from tests.crash.deployment import DISPATCHER, EVERYBODY, WEB, WORKERS, Deployment, wait_for
from tests.crash.provider import Provider

pytestmark = pytest.mark.stack

RESUMED_WITHIN_SECONDS = 45.0
"""Ten for the lease, a few for maintenance, and the rest for a busy machine."""

COMPLETED = ("recording.created", "recording.transcription.started", "recording.transcription.completed")


def recomputed(provider: Provider, undisturbed: Undisturbed) -> int:
    """Return how many chunks were sent again; no other chunk than those of the undisturbed run may be sent."""
    counts = provider.counts()
    assert counts.keys() == undisturbed.pieces.keys()
    return sum((counts - undisturbed.pieces).values())


def test_a_killed_work_horse_costs_the_chunk_it_was_hearing(
    deployment: Deployment,
    provider: Provider,
    undisturbed: Undisturbed,
    shared_by_both: int,
    assert_sent_once: Callable[..., None],
) -> None:
    owner = deployment.owner_of(shared_by_both)
    os.kill(deployment.horses()[owner], signal.SIGKILL)
    provider.wait_for(5)
    wait_for(lambda: sum(deployment.setbacks(shared_by_both)) > 0, "the death is noticed")
    assert deployment.setbacks(shared_by_both) == (1, 0), "only the end of its lease told"
    provider.go_on()
    deployment.wait_until_done(shared_by_both)
    assert deployment.transcript(shared_by_both) == undisturbed.transcript
    assert recomputed(provider, undisturbed) == 1
    assert_sent_once(shared_by_both, *COMPLETED, "recording.summary.completed")


def test_a_killed_helper_costs_its_chunk_and_is_replaced(
    deployment: Deployment, provider: Provider, undisturbed: Undisturbed, shared_by_both: int
) -> None:
    (helper,) = set(WORKERS) - {deployment.owner_of(shared_by_both)}
    os.kill(deployment.horses()[helper], signal.SIGKILL)
    provider.wait_for(5)
    assert set(deployment.workers_at(shared_by_both)) == set(WORKERS), "nobody was called to help again"
    provider.go_on()
    deployment.wait_until_done(shared_by_both)
    assert deployment.transcript(shared_by_both) == undisturbed.transcript
    assert recomputed(provider, undisturbed) == 1


@pytest.mark.parametrize("with_horse", [True, False], ids=["parent and horse", "parent only"])
def test_a_killed_worker_is_missed_by_the_others(
    deployment: Deployment,
    provider: Provider,
    undisturbed: Undisturbed,
    shared_by_both: int,
    assert_sent_once: Callable[..., None],
    *,
    with_horse: bool,
) -> None:
    owner = deployment.owner_of(shared_by_both)
    horse = deployment.horses()[owner]
    killed = time.monotonic()
    (deployment.kill if with_horse else deployment.kill_parent_only)(owner)
    wait_for(lambda: horse not in deployment.processes(), "the horse gone with its parent", 3)
    provider.go_on()
    wait_for(lambda: max(provider.counts().values()) == 2, "its chunk heard again", RESUMED_WITHIN_SECONDS)
    assert time.monotonic() - killed < RESUMED_WITHIN_SECONDS
    deployment.wait_until_done(shared_by_both)
    assert deployment.transcript(shared_by_both) == undisturbed.transcript
    assert recomputed(provider, undisturbed) == 1
    assert_sent_once(shared_by_both, *COMPLETED)


def test_a_worker_lost_with_its_machine_is_missed_when_its_lease_ends(
    deployment: Deployment, provider: Provider, undisturbed: Undisturbed, shared_by_both: int
) -> None:
    for lock in (deployment.folder / "scratch").glob("speakr-worker-*"):
        lock.unlink()  # no worker can check processes of another machine
    killed = time.monotonic()
    deployment.kill(deployment.owner_of(shared_by_both))
    provider.go_on()
    wait_for(lambda: max(provider.counts().values()) == 2, "its chunk heard again", RESUMED_WITHIN_SECONDS)
    assert time.monotonic() - killed < RESUMED_WITHIN_SECONDS
    deployment.wait_until_done(shared_by_both)
    assert deployment.transcript(shared_by_both) == undisturbed.transcript
    assert recomputed(provider, undisturbed) == 1


def test_a_stopping_worker_hands_its_work_over(
    deployment: Deployment, provider: Provider, undisturbed: Undisturbed, shared_by_both: int
) -> None:
    owner = deployment.owner_of(shared_by_both)
    stopped_at = time.monotonic()
    deployment.kill(owner, signal.SIGTERM)
    assert time.monotonic() - stopped_at < 5
    query = "SELECT crashes, losses, attempts, state FROM jobs WHERE recording_id = :id"
    assert [tuple(row) for row in deployment.rows(query, id=shared_by_both)] == [(0, 0, 0, "queued")]
    provider.go_on()
    deployment.wait_until_done(shared_by_both, seconds=8)
    assert deployment.transcript(shared_by_both) == undisturbed.transcript
    assert recomputed(provider, undisturbed) <= 1


def test_after_a_power_cut_everything_goes_on(
    deployment: Deployment,
    provider: Provider,
    undisturbed: Undisturbed,
    shared_by_both: int,
    assert_sent_once: Callable[..., None],
) -> None:
    waiting = deployment.upload(speech.short_recording())
    deployment.lose_redis(with_data=True)
    for name in (*WORKERS, DISPATCHER, WEB):
        deployment.kill(name)
    provider.go_on()
    deployment.redis.start()
    deployment.start(*EVERYBODY)
    deployment.wait_until_ready()
    back = time.monotonic()
    wait_for(lambda: sum(provider.counts().values()) > 4, "somebody at work", RESUMED_WITHIN_SECONDS)
    assert time.monotonic() - back < RESUMED_WITHIN_SECONDS
    deployment.wait_until_done(shared_by_both)
    deployment.wait_until_done(waiting)
    assert deployment.transcript(shared_by_both) == undisturbed.transcript
    for recording in (shared_by_both, waiting):
        assert_sent_once(recording, *COMPLETED)


def test_a_recording_whose_horses_died_is_tried_again_alone(
    deployment: Deployment, provider: Provider, assert_sent_once: Callable[..., None]
) -> None:
    provider.hold_after(0)
    suspect = deployment.upload(speech.short_recording())
    for time_around in (1, 2):
        provider.wait_for(time_around)
        deployment.kill_owner(suspect, signal.SIGSEGV)
    query = "SELECT id FROM jobs WHERE quarantined_at IS NOT NULL"
    wait_for(lambda: len(deployment.rows(query)) == 1, "the quarantine")
    provider.go_on()
    other = deployment.upload(speech.short_recording())
    deployment.wait_until_done(other, seconds=200)  # the pauses of the suspect come first
    deployment.wait_until_done(suspect, seconds=200)
    assert_sent_once(suspect, *COMPLETED)
    assert deployment.transcript(suspect) == deployment.transcript(other)


def test_two_workers_share_the_chunks_of_one_recording(
    deployment: Deployment, provider: Provider, undisturbed: Undisturbed
) -> None:
    provider.hold_after(0)
    recording = deployment.upload(speech.long_recording())
    provider.wait_for(2)
    assert set(deployment.workers_at(recording)) == set(WORKERS)
    provider.go_on()
    deployment.wait_until_done(recording)
    assert provider.counts() == Counter(undisturbed.pieces)
    assert deployment.transcript(recording) == undisturbed.transcript


def test_a_horse_killed_while_it_decodes_leaves_no_files(
    deployment: Deployment, undisturbed: Undisturbed
) -> None:
    recording = deployment.upload(speech.long_recording())
    wait_for(deployment.scratch_folders, "decoding", 10)
    (horse,) = deployment.horses().values()
    os.kill(horse, signal.SIGKILL)
    deployment.wait_until_done(recording)
    assert deployment.scratch_folders() == []
    assert deployment.transcript(recording) == undisturbed.transcript
