"""From upload to summary, and everything that can go wrong on the way."""

from __future__ import annotations

from flask import Flask
from redis import Redis
from sqlalchemy import select

from speakr.backends import Backends
from speakr.db import db, release, unit_of_work
from speakr.domain.errors import ConnectorRejected, ConnectorUnavailable
from speakr.domain.jobs import JobState
from speakr.jobs import runner
from speakr.models import Delivery, Job, JobChunk
from speakr.services.accounts import users
from speakr.services.system import unwanted_blobs
from tests.conftest import Person
from tests.fakes import FakeTranscriber, FakeWriter, MemoryJobNotifier
from tests.jobs.looking import event_types, job_of


def test_an_upload_becomes_a_transcript_and_a_summary(
    alice: Person, recorded: int, work, writer: FakeWriter
) -> None:
    assert alice.get(f"/api/v1/recordings/{recorded}/status").json["status"] == "PENDING"
    assert work() == 3
    detail = alice.get(f"/api/v1/recordings/{recorded}").json
    assert detail["status"] == "COMPLETED"
    assert detail["completed_at"].endswith("Z")
    assert detail["title"] == "A written title"
    assert detail["summary"] == "10 lines"
    assert detail["transcription"].splitlines()[0] == "[SPEAKER_00]: heard 0.0-0.9"
    assert [line.text for line in writer.requests[0].lines][-1] == "heard 18.0-18.9"
    assert event_types() == [
        "recording.created",
        "recording.transcription.started",
        "recording.transcription.completed",
        "recording.summary.completed",
    ]
    assert alice.get("/api/v1/stats").json["tokens"]["used_this_month"] == 15
    assert alice.get("/api/v1/stats").json["transcription"]["used_this_month_seconds"] == 20


def test_chunks_are_cut_at_pauses_and_nothing_is_left_behind(
    app: Flask, recorded: int, work, transcriber: FakeTranscriber, backends: Backends
) -> None:
    work()
    assert len(transcriber.chunks) > 1
    spoken = [span for chunk in transcriber.chunks for span in chunk.spans]
    assert [span.start for span in spoken] == sorted({span.start for span in spoken})
    for chunk in transcriber.chunks:
        assert len(chunk.samples) == round((chunk.spans[-1].end - chunk.start) * 16_000)
    assert db.session.scalars(select(JobChunk.result)).all() == [None] * len(transcriber.chunks)
    unwanted_blobs.clear()
    assert list(backends.storage.keys("pcm")) == []
    assert len(list(backends.storage.keys("audio"))) == 1


def test_a_recording_without_speech_is_complete_and_empty(
    alice: Person, recorded: int, work, speech: list
) -> None:
    speech.clear()
    work()
    assert alice.get(f"/api/v1/recordings/{recorded}/status").json["status"] == "COMPLETED"
    assert alice.get(f"/api/v1/recordings/{recorded}/transcript").json == {
        "format": "json",
        "revision": 0,
        "segments": [],
    }
    assert "recording.summary.completed" not in event_types()


def test_a_summary_is_not_made_when_the_user_wants_none(
    app: Flask, alice: Person, recorded: int, work
) -> None:
    with unit_of_work():
        users.get(alice.id).preferences = {"auto_summarization": False}
    work()
    detail = alice.get(f"/api/v1/recordings/{recorded}").json
    assert (detail["status"], detail["has_summary"] if "has_summary" in detail else detail["summary"]) == (
        "COMPLETED",
        None,
    )


def test_a_passing_failure_is_tried_again_later_and_keeps_finished_chunks(
    app: Flask, alice: Person, recorded: int, work, transcriber: FakeTranscriber
) -> None:
    def fail_third(_chunk: object) -> None:
        if len(transcriber.chunks) == 2:
            raise ConnectorUnavailable("The engine is busy.", retry_after_seconds=45)

    transcriber.before = fail_third
    work()
    job = job_of(recorded)
    assert (job.state, job.attempts) == (JobState.QUEUED, 1)
    assert 44 < (job.not_before - job.created_at).total_seconds() < 60
    status = alice.get(f"/api/v1/recordings/{recorded}/status").json
    assert (status["status"], status["queue_position"]) == ("PENDING", 1)
    runner.run(job.id)
    assert job_of(recorded).state is JobState.QUEUED, "it was taken before its time"

    transcriber.before = None
    with unit_of_work() as session:
        session.get_one(Job, job.id).not_before = None
    runner.run(job.id)
    assert job_of(recorded).state is JobState.SUCCEEDED
    starts = [chunk.start for chunk in transcriber.chunks]
    assert len(starts) == len(set(starts)), "a finished chunk was transcribed twice"
    assert len(alice.get(f"/api/v1/recordings/{recorded}/transcript").json["segments"]) == 10


def test_passing_failures_end_after_the_last_try(
    app: Flask, recorded: int, transcriber: FakeTranscriber, redis_connection: Redis
) -> None:
    def always(_chunk: object) -> None:
        raise ConnectorUnavailable("The engine is away.")

    transcriber.before = always
    job_id = job_of(recorded).id
    for _ in range(10):
        with unit_of_work() as session:
            session.get_one(Job, job_id).not_before = None
        redis_connection.delete("speakr:engine:first:rest")  # the pause after three failures is over
        runner.run(job_id)
    job = job_of(recorded)
    assert (job.state, job.attempts) == (JobState.FAILED, 5)
    assert job.error_code == "provider_unavailable"


def test_a_permanent_failure_is_not_tried_again(
    alice: Person, recorded: int, work, transcriber: FakeTranscriber
) -> None:
    def refuse(_chunk: object) -> None:
        raise ConnectorRejected("The engine does not know this key.")

    transcriber.before = refuse
    assert work() == 1
    assert job_of(recorded).state is JobState.FAILED
    detail = alice.get(f"/api/v1/recordings/{recorded}").json
    assert (detail["status"], detail["error_message"]) == ("FAILED", "The engine does not know this key.")
    assert event_types()[-1] == "recording.transcription.failed"


def test_an_unexpected_error_is_retried_and_leaks_nothing(
    alice: Person, recorded: int, work, transcriber: FakeTranscriber
) -> None:
    def stumble(_chunk: object) -> None:
        raise KeyError("/secret/path")

    transcriber.before = stumble
    work()
    job = job_of(recorded)
    assert (job.state, job.error_code) == (JobState.QUEUED, "internal_error")
    assert "secret" not in (job.error_message or "")


def test_a_failed_second_transcription_leaves_the_good_text(
    alice: Person, recorded: int, work, transcriber: FakeTranscriber
) -> None:
    work()
    before = alice.get(f"/api/v1/recordings/{recorded}/transcript").json

    def refuse(_chunk: object) -> None:
        raise ConnectorRejected("No.")

    transcriber.before = refuse
    assert alice.post(f"/api/v1/recordings/{recorded}/transcribe").status_code == 200
    work()
    assert alice.get(f"/api/v1/recordings/{recorded}/transcript").json == before
    assert alice.get(f"/api/v1/recordings/{recorded}/summary").json["summary"] == "10 lines"


def test_a_failed_summary_leaves_the_old_one_and_a_complete_recording(
    alice: Person, recorded: int, work, writer: FakeWriter
) -> None:
    work()

    def refuse(_request: object) -> None:
        raise ConnectorRejected("No.")

    writer.before = refuse
    alice.post(f"/api/v1/recordings/{recorded}/summarize", json={"prompt": "in verse"})
    work()
    detail = alice.get(f"/api/v1/recordings/{recorded}").json
    assert (detail["status"], detail["summary"]) == ("COMPLETED", "10 lines")
    assert event_types()[-1] == "recording.summary.failed"


def test_asking_twice_queues_once(alice: Person, recorded: int, work, notifier: MemoryJobNotifier) -> None:
    work()
    first = alice.post(f"/api/v1/recordings/{recorded}/transcribe", json={}).json
    second = alice.post(f"/api/v1/recordings/{recorded}/transcribe", json={"language": "de"}).json
    assert first["job_id"] == second["job_id"]
    assert isinstance(first["job_id"], str)
    assert len(notifier.notifications) == 1


def test_two_rings_do_the_work_once(app: Flask, recorded: int, transcriber: FakeTranscriber) -> None:
    job_id = job_of(recorded).id
    runner.run(job_id)
    spoken = len(transcriber.chunks)
    runner.run(job_id)
    assert len(transcriber.chunks) == spoken
    assert event_types().count("recording.transcription.completed") == 1


# -- cancelling and retrying


def test_a_waiting_job_is_cancelled_at_once(alice: Person, recorded: int, work) -> None:
    job = job_of(recorded)
    assert alice.post(f"/api/v1/jobs/{job.id}/cancel").json["state"] == "cancelled"
    work()
    assert alice.get(f"/api/v1/recordings/{recorded}").json["error_message"] == "Processing was cancelled."
    assert alice.post(f"/api/v1/jobs/{job.id}/cancel").status_code == 409
    assert alice.post(f"/api/v1/jobs/{job.id}/retry").status_code == 202
    work()
    assert alice.get(f"/api/v1/recordings/{recorded}").json["status"] == "COMPLETED"


def test_cancelling_between_tries_leaves_no_decoded_audio(
    alice: Person, recorded: int, work, transcriber: FakeTranscriber, backends: Backends
) -> None:
    def busy(_chunk: object) -> None:
        raise ConnectorUnavailable("The engine is busy.")

    transcriber.before = busy
    work()
    assert len(list(backends.storage.keys("pcm"))) == 1
    alice.post(f"/api/v1/jobs/{job_of(recorded).id}/cancel")
    unwanted_blobs.clear()
    assert list(backends.storage.keys("pcm")) == []


def test_a_running_job_stops_between_chunks(
    alice: Person, recorded: int, work, transcriber: FakeTranscriber
) -> None:
    job_id = job_of(recorded).id

    def cancel(_chunk: object) -> None:
        if len(transcriber.chunks) == 1:
            release()
            assert alice.post(f"/api/v1/jobs/{job_id}/cancel").json["state"] == "running"

    transcriber.before = cancel
    work()
    assert job_of(recorded).state is JobState.CANCELLED
    assert len(transcriber.chunks) <= 3


def test_jobs_of_others_are_not_there(alice: Person, bob: Person, recorded: int) -> None:
    job_id = job_of(recorded).id
    assert bob.get(f"/api/v1/jobs/{job_id}").status_code == 404
    assert bob.post(f"/api/v1/jobs/{job_id}/cancel").status_code == 404
    assert bob.get("/api/v1/jobs").json["jobs"] == []
    assert [job["id"] for job in alice.get("/api/v1/jobs").json["jobs"]] == [str(job_id)]


def test_deliveries_are_written_with_the_fact(app: Flask, alice: Person, upload, speech: list) -> None:
    from speakr.models import Webhook
    from speakr.services.accounts.sealing import seal

    with unit_of_work() as session:
        for events in (["recording.created"], ["recording.deleted"]):
            session.add(
                Webhook(
                    user_id=alice.id,
                    name="x",
                    url="https://x.example",
                    events=events,
                    secret_sealed=seal("s"),
                )
            )
    upload(alice)
    rows = db.session.scalars(select(Delivery)).all()
    assert [row.event_type.value for row in rows] == ["recording.created"]
    assert isinstance(rows[0].next_attempt_at, type(rows[0].created_at))
