"""Workers and horses that die, leases that run out, poison, lost bells, and helpers."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from speakr.backends import Backends
from speakr.db import db, release, unit_of_work
from speakr.domain.clock import now
from speakr.domain.errors import ClaimLost, ConnectorRejected, ConnectorUnavailable
from speakr.domain.jobs import ChunkState, JobKind, JobState, Queue
from speakr.jobs import runner, worker_names
from speakr.models import Job, JobChunk, Recording, Segment, UnwantedBlob
from speakr.services.jobs import chunks, claims, fairness, recovery
from speakr.services.jobs.quarantine import Cause
from speakr.services.system import maintenance
from tests.conftest import Person, wav
from tests.fakes import FakeTranscriber, MemoryJobNotifier
from tests.jobs.looking import event_types, job_of

# -- dying


def end_pause(job_id: int) -> None:
    """Make a job due whose horse has died, and notify workers of it."""
    with unit_of_work() as session:
        job = session.get_one(Job, job_id)
        job.not_before = job.rung_at = job.created_at
    maintenance.run_maintenance()


def claimed(job_id: int, worker: str = "w1") -> claims.Claim:
    with unit_of_work() as session:
        session.get_one(Job, job_id).not_before = None
        held = claims.claim(job_id, worker)
    assert held is not None
    return held


def test_a_worker_that_lost_its_job_can_change_nothing(app: Flask, recorded: int, work) -> None:
    job_id = job_of(recorded).id
    old = claimed(job_id)
    recovery.horse_died("w1")
    assert job_of(recorded).state is JobState.QUEUED
    claimed(job_id, "w2")
    for attempt in (
        lambda: claims.report(old, "still here"),
        lambda: claims.succeed(old),
        lambda: claims.fail(old, ConnectorRejected("x")),
    ):
        with pytest.raises(ClaimLost), unit_of_work():
            attempt()
    assert job_of(recorded).worker == "w2"


def test_a_dead_horse_is_seen_at_once_and_its_chunk_goes_on(
    app: Flask, recorded: int, work, transcriber: FakeTranscriber
) -> None:
    job_id = job_of(recorded).id

    class Killed(BaseException):
        pass

    def die(_chunk: object) -> None:
        if len(transcriber.chunks) == 2:
            raise Killed

    transcriber.before = die
    with pytest.raises(Killed):
        runner.run(job_id)
    release()
    running = db.session.scalars(select(JobChunk).where(JobChunk.state == ChunkState.RUNNING)).one()
    assert running.worker == f"pid-{os.getpid()}"
    recovery.horse_died(running.worker)
    transcriber.before = None
    end_pause(job_id)
    work()
    assert job_of(recorded).state is JobState.SUCCEEDED
    starts = [chunk.start for chunk in transcriber.chunks]
    assert len(starts) == len(set(starts))
    assert event_types().count("recording.transcription.started") == 1


def test_the_death_of_an_owner_in_the_middle_of_a_chunk_counts_once(
    app: Flask, recorded: int, transcriber: FakeTranscriber
) -> None:
    job_id = job_of(recorded).id

    class Killed(BaseException):
        pass

    def die(_chunk: object) -> None:
        raise Killed

    transcriber.before = die
    counted = []
    for _ in range(3):
        with unit_of_work() as session:
            session.get_one(Job, job_id).not_before = None
        with pytest.raises(Killed):
            runner.run(job_id)
        release()
        recovery.horse_died(f"pid-{os.getpid()}", Cause.KILLED)
        job = job_of(recorded)
        counted.append((job.crashes, job.blame_alone, job.quarantined_at is not None))
    assert counted == [(1, 0, False), (2, 0, False), (3, 0, True)]


def test_an_expired_lease_is_taken_back_and_a_live_one_is_not(app: Flask, recorded: int) -> None:
    job_id = job_of(recorded).id
    claimed(job_id)
    maintenance.run_maintenance()
    assert job_of(recorded).state is JobState.RUNNING
    with unit_of_work() as session:
        job = session.get_one(Job, job_id)
        job.lease_expires_at = job.created_at
    maintenance.run_maintenance()
    job = job_of(recorded)
    assert (job.state, job.losses, job.crashes) == (JobState.QUEUED, 1, 0)


def test_renewing_keeps_what_a_worker_holds(app: Flask, recorded: int) -> None:
    job_id = job_of(recorded).id
    claimed(job_id)
    with unit_of_work() as session:
        job = session.get_one(Job, job_id)
        job.lease_expires_at = job.created_at
    recovery.renew("w1")
    maintenance.run_maintenance()
    assert job_of(recorded).state is JobState.RUNNING


def deaths_until_it_fails(recording_id: int, cause: Cause, step: str = "Decoding") -> list[float]:
    """Let the horse of a recording's job die again and again; return the pauses in seconds before each further try."""
    job_id, pauses = job_of(recording_id).id, []
    while True:
        held = claimed(job_id)
        with unit_of_work():
            claims.report(held, step)
        died_at = now()
        recovery.horse_died("w1", cause)
        job = job_of(recording_id)
        if job.state is not JobState.QUEUED:
            break
        pauses.append(round(((job.not_before or died_at) - died_at).total_seconds()))
    assert (job.state, job.error_code) == (JobState.FAILED, "worker_crashed")
    return pauses


@pytest.mark.parametrize(
    ("cause", "pauses"),
    [
        # Twice a fault at the same step: quarantine. Twice in quarantine: the file is at fault.
        (Cause.FAULT, [2, 32, 32]),
        # Kills from outside go to quarantine after three; there four decide.
        (Cause.KILLED, [2, 8, 32, 32, 32, 32]),
    ],
)
def test_a_file_that_ends_its_worker_fails_within_minutes(
    app: Flask, recorded: int, cause: Cause, pauses: list[float]
) -> None:
    assert deaths_until_it_fails(recorded, cause) == pauses
    assert sum(pauses) < 300
    assert event_types().count("recording.transcription.failed") == 1


def test_faults_at_different_steps_do_not_point_to_the_file_at_once(app: Flask, recorded: int) -> None:
    job_id = job_of(recorded).id
    for step in ("Decoding", "Looking for speech"):
        held = claimed(job_id)
        with unit_of_work():
            claims.report(held, step)
        recovery.horse_died("w1", Cause.FAULT)
    job = job_of(recorded)
    assert (job.crashes, job.quarantined_at) == (2, None)


def test_deaths_of_several_jobs_within_a_minute_count_for_none(
    app: Flask, alice: Person, recorded: int, upload
) -> None:
    other = upload(alice, wav(4.0)).json["id"]
    for number in range(4):
        for recording in (recorded, other):
            claimed(job_of(recording).id, f"w{recording}")
            recovery.horse_died(f"w{recording}")
            if number:
                job = job_of(recording)
                assert (job.crashes <= 1, job.quarantined_at) == (True, None)
    assert job_of(other).crashes == 0


def test_a_job_in_quarantine_runs_alone_on_its_machine(
    app: Flask, alice: Person, recorded: int, upload
) -> None:
    suspect, other = job_of(recorded).id, job_of(upload(alice, wav(4.0)).json["id"]).id
    for _ in range(3):
        claimed(suspect)
        recovery.horse_died("w1")
    end_pause(suspect)
    busy = claimed(other, "host-1-1.2")
    assert fairness.next_due(Queue.SPEECH, "host") is None, "another job runs on this machine"
    assert fairness.next_due(Queue.SPEECH, "elsewhere") == suspect
    with unit_of_work():
        claims.make_way(busy)
    held = claimed(suspect, "host-1-1.3")
    assert held.is_alone
    assert fairness.next_due(Queue.SPEECH, "host") is None, "a job in quarantine runs on this machine"
    assert fairness.next_due(Queue.SPEECH, "elsewhere") == other
    with unit_of_work() as session:
        session.get_one(Job, suspect).claimed_at = now() - timedelta(minutes=2)
    assert fairness.next_due(Queue.SPEECH, "host") == other, "it has lived for a while"


LONG = "speakr-worker-in-a-cluster-with-a-long-name"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("speakr", "speakr-2"),
        ("speakr", "speakr-2-3"),
        (f"{LONG}-1", f"{LONG}-2"),
        ("a:", "a_"),
        ("a", "a/../b"),
    ],
)
def test_a_job_in_quarantine_waits_for_no_other_machine(
    app: Flask, alice: Person, recorded: int, upload, first: str, second: str
) -> None:
    """Whatever their names have in common."""
    suspect, other = job_of(recorded).id, job_of(upload(alice, wav(4.0)).json["id"]).id
    for _ in range(3):
        claimed(suspect)
        recovery.horse_died("w1")
    end_pause(suspect)
    names = [worker_names.make(host, 12, 34) for host in (first, second)]
    assert not any("/" in name for name in names)
    hosts = [worker_names.host_of(runner.claim_owner(name, 56)) for name in names]
    claimed(other, runner.claim_owner(names[1], 56))
    assert [fairness.next_due(Queue.SPEECH, host) for host in hosts] == [suspect, None]


def test_a_job_in_quarantine_that_succeeds_is_complete(
    app: Flask, alice: Person, recorded: int, work
) -> None:
    job_id = job_of(recorded).id
    for _ in range(4):
        claimed(job_id)
        recovery.horse_died("w1")
    assert job_of(recorded).quarantined_at is not None
    end_pause(job_id)
    work()
    assert alice.get(f"/api/v1/recordings/{recorded}").json["status"] == "COMPLETED"


def test_poison_fails_and_the_queue_moves_on(
    app: Flask, alice: Person, recorded: int, upload, work, notifier: MemoryJobNotifier
) -> None:
    deaths_until_it_fails(recorded, Cause.FAULT)
    detail = alice.get(f"/api/v1/recordings/{recorded}").json
    assert detail["status"] == "FAILED"
    other = upload(alice, wav(4.0)).json["id"]
    work()
    assert alice.get(f"/api/v1/recordings/{other}").json["status"] == "COMPLETED"


def test_crashes_with_progress_in_between_are_forgiven(app: Flask, recorded: int, work) -> None:
    job_id = job_of(recorded).id
    held = claimed(job_id)
    with unit_of_work():
        claims.cut(held, {"pcm_key": "pcm/00/0", "duration_seconds": 1.0, "chunk_count": 2}, [[], []])
    for _ in range(2):
        recovery.horse_died("w1")
        claimed(job_id)
    with unit_of_work():
        chunk = chunks.claim_next(job_id, "w1")
    assert chunk is not None
    with unit_of_work():
        chunks.finish(chunk, {"segments": []})
    for _ in range(2):
        recovery.horse_died("w1")
        claimed(job_id)
    assert job_of(recorded).state is JobState.RUNNING


def test_a_lost_bell_is_rung_again(app: Flask, recorded: int, notifier: MemoryJobNotifier) -> None:
    job_id = job_of(recorded).id
    notifier.notifications.clear()
    maintenance.run_maintenance()
    assert notifier.notifications == [], "it was notified again although it may still be on its way"
    with unit_of_work() as session:
        job = session.get_one(Job, job_id)
        job.rung_at = job.created_at.replace(year=2020)
    maintenance.run_maintenance()
    assert notifier.notifications == [(JobKind.TRANSCRIBE, job_id, 2)]
    with unit_of_work() as session:
        job = session.get_one(Job, job_id)
        job.rung_at = job.created_at.replace(year=2020)
    maintenance.run_maintenance()
    assert len(notifier.notifications) == 1, "a job whose notification still waits was notified again"


def test_deleting_a_recording_stops_its_transcription(
    alice: Person, recorded: int, work, transcriber: FakeTranscriber, backends: Backends
) -> None:
    def delete(_chunk: object) -> None:
        release()
        if not transcriber.chunks:
            assert alice.delete(f"/api/v1/recordings/{recorded}").status_code == 200

    transcriber.before = delete
    work()
    release()
    assert db.session.scalars(select(Recording)).all() == []
    assert db.session.scalars(select(Segment)).all() == []
    assert event_types()[-1] == "recording.deleted"
    maintenance.run_maintenance()
    assert db.session.scalars(select(UnwantedBlob)).all() == []
    assert list(backends.storage.keys("audio")) == list(backends.storage.keys("pcm")) == []


# -- helpers


def test_a_helper_takes_chunks_and_the_owner_puts_all_together(
    app: Flask, alice: Person, recorded: int, transcriber: FakeTranscriber, notifier: MemoryJobNotifier
) -> None:
    job_id = job_of(recorded).id
    notifier.notifications.clear()

    def help_once(_chunk: object) -> None:
        transcriber.before = None
        release()
        runner.help_with(job_id)

    transcriber.before = help_once
    runner.run(job_id)
    assert job_of(recorded).state is JobState.SUCCEEDED
    sentences = [
        row["sentence"] for row in alice.get(f"/api/v1/recordings/{recorded}/transcript").json["segments"]
    ]
    assert sentences == [f"heard {second:.1f}-{second + 0.9:.1f}" for second in range(0, 20, 2)]


def test_a_helper_that_fails_steps_aside(app: Flask, recorded: int, transcriber: FakeTranscriber) -> None:
    job_id = job_of(recorded).id
    held = claimed(job_id, "owner")

    def busy(_chunk: object) -> None:
        raise ConnectorUnavailable("busy")

    from speakr.jobs import transcribe

    transcribe.prepare(held, transcribe._decode_recording, are_speakers_wanted=True)
    transcriber.before = busy
    runner.help_with(job_id)
    release()
    assert {chunk.state for chunk in db.session.scalars(select(JobChunk))} == {ChunkState.PENDING}
    assert job_of(recorded).state is JobState.RUNNING
