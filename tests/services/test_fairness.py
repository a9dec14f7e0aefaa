"""Users take turns in the queues of jobs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import update

from speakr.backends import Backends, set_backends
from speakr.db import db, unit_of_work
from speakr.domain.jobs import JobState, Queue
from speakr.jobs import runner
from speakr.models import Job, Recording
from speakr.services.jobs import claims, fairness, recovery, requests
from tests.conftest import Person, wav
from tests.fakes import MemoryJobNotifier


@pytest.fixture
def queued(upload) -> dict[str, list[int]]:
    """Return nothing yet: recordings by user, filled by `add`."""
    return {}


@pytest.fixture
def add(upload, queued: dict[str, list[int]]):
    frequencies = iter(range(200, 2000, 10))

    def add(user: Person, count: int, seconds: float = 1.0) -> list[int]:
        made = [upload(user, wav(seconds, frequency=next(frequencies))).json["id"] for _ in range(count)]
        queued.setdefault(user.name, []).extend(made)
        return made

    return add


def next_recording() -> int | None:
    job_id = fairness.next_due(Queue.SPEECH, "host")
    return None if job_id is None else db.session.get_one(Job, job_id).recording_id


def start(recording_id: int) -> claims.Claim:
    with unit_of_work():
        job = requests.newest(recording_id)
        assert job is not None
        held = claims.claim(job.id, f"worker-{recording_id}")
    assert held is not None
    return held


def test_users_take_turns_however_many_jobs_they_queue(app: Flask, alice: Person, bob: Person, add) -> None:
    of_alice, of_bob = add(alice, 4), add(bob, 2)
    order = []
    while (recording_id := next_recording()) is not None:
        start(recording_id)
        order.append(recording_id)
    assert order == [of_alice[0], of_bob[0], of_alice[1], of_bob[1], of_alice[2], of_alice[3]]


def test_the_position_in_the_queue_follows_the_turns(alice: Person, bob: Person, add) -> None:
    of_alice, of_bob = add(alice, 3), add(bob, 1)

    def positions(user: Person, recordings: list[int]) -> list[int | None]:
        return [user.get(f"/api/v1/recordings/{each}/status").json["queue_position"] for each in recordings]

    assert positions(alice, of_alice) == [1, 3, 4]
    assert positions(bob, of_bob) == [2]
    start(of_alice[0])
    assert positions(alice, of_alice) == [None, 2, 3]
    assert positions(bob, of_bob) == [1]


def test_a_notification_starts_the_job_whose_turn_it_is(
    alice: Person, bob: Person, add, notifier: MemoryJobNotifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_alice, of_bob = add(alice, 3), add(bob, 1)
    started: list[int] = []
    monkeypatch.setattr(runner, "handler_of", lambda _: lambda held: started.append(held.recording_id))
    for notification in list(notifier.notifications):
        runner.run_next(notification[1])
    assert started == [of_alice[0], of_bob[0], of_alice[1], of_alice[2]]


def test_a_long_job_makes_way_for_another_user_only(app: Flask, alice: Person, bob: Person, add) -> None:
    first, second, _ = add(alice, 3, 2.0)
    held = start(first)

    def must_make_way(seconds: float = 0.0) -> bool:
        return fairness.must_make_way(held.job_id, alice.id, Queue.SPEECH, ran_seconds=seconds)

    assert not must_make_way()
    start(second)
    assert not must_make_way()
    (of_bob,) = add(bob, 1)
    assert must_make_way(), "two of alice's jobs run and none of bob's"
    with unit_of_work():
        claims.make_way(held)
    assert next_recording() == of_bob
    start(of_bob)
    assert not must_make_way(), "each user has one job that runs"


def test_one_worker_shares_its_time_between_users(app: Flask, alice: Person, bob: Person, add) -> None:
    (first,) = add(alice, 1)
    held = start(first)
    add(bob, 1)
    ask = {"job_id": held.job_id, "user_id": alice.id, "queue": Queue.SPEECH}
    assert not fairness.must_make_way(**ask, ran_seconds=1.0)
    assert fairness.must_make_way(**ask, ran_seconds=fairness.MIN_SLICE_SECONDS)


def test_a_long_job_makes_way_for_a_short_one_of_the_same_user(app: Flask, alice: Person, add) -> None:
    first, other = add(alice, 2)
    held = start(first)
    ask = {"job_id": held.job_id, "user_id": alice.id, "queue": Queue.SPEECH, "ran_seconds": 60.0}
    assert fairness.must_make_way(**ask)
    with unit_of_work() as session:
        session.execute(update(Recording).where(Recording.id == other).values(audio_duration=600.0))
    assert not fairness.must_make_way(**ask)


def test_a_job_that_makes_way_keeps_its_claimed_work_and_is_announced_again(
    app: Flask, alice: Person, add, notifier: MemoryJobNotifier
) -> None:
    (first,) = add(alice, 1)
    held = start(first)
    with unit_of_work():
        claims.keep_plan(held, {"pcm_key": "kept"})
    before = len(notifier.notifications)
    with unit_of_work():
        claims.make_way(held)
    job = requests.newest(first)
    assert job is not None
    assert (job.state, job.plan, job.attempts, job.crashes) == (JobState.QUEUED, {"pcm_key": "kept"}, 0, 0)
    assert len(notifier.notifications) == before + 1
    assert alice.get(f"/api/v1/recordings/{first}/status").json["status"] == "PROCESSING"


@pytest.mark.parametrize("most", [1])
def test_a_user_has_at_most_so_many_running_jobs(
    app: Flask,
    backends: Backends,
    alice: Person,
    bob: Person,
    add,
    most: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, _ = add(alice, 2)
    start(first)
    monkeypatch.setattr(
        fairness,
        "get_backends",
        lambda: type("B", (), {"settings": type("S", (), {"max_jobs_per_user": most})}),
    )
    assert next_recording() is None
    (of_bob,) = add(bob, 1)
    assert next_recording() == of_bob


def test_a_long_job_that_made_way_comes_after_the_user_it_made_way_for(
    app: Flask, alice: Person, bob: Person, add
) -> None:
    (of_alice,) = add(alice, 1)
    held = start(of_alice)
    of_bob = add(bob, 2)
    assert fairness.must_make_way(held.job_id, alice.id, Queue.SPEECH, ran_seconds=60)
    with unit_of_work():
        claims.make_way(held)
    assert next_recording() == of_bob[0]
    first = start(of_bob[0])
    assert next_recording() == of_alice  # bob has a running job
    with unit_of_work():
        claims.make_way(first)
    assert next_recording() == of_alice  # who was served longer ago


def test_short_recordings_of_a_user_come_before_a_long_one_that_has_begun(
    app: Flask, alice: Person, add
) -> None:
    long, short = add(alice, 2)
    with unit_of_work() as session:
        session.execute(update(Recording).where(Recording.id == long).values(audio_duration=600.0))
    held = start(long)
    assert fairness.must_make_way(held.job_id, alice.id, Queue.SPEECH, ran_seconds=60)
    with unit_of_work():
        claims.make_way(held)
    assert next_recording() == short


def test_no_notification_is_repeated_while_no_user_may_start(
    app: Flask, backends: Backends, alice: Person, add, notifier: MemoryJobNotifier
) -> None:
    first, _ = add(alice, 2)
    with unit_of_work() as session:
        session.execute(update(Job).values(rung_at=None))
    notifier.notifications.clear()
    set_backends(replace(backends, settings=replace(backends.settings, max_jobs_per_user=1)))
    assert recovery.notify_again() == 2
    start(first)
    notifier.notifications.clear()
    assert recovery.notify_again() == 0
