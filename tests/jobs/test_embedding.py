"""Passages follow a transcript, never hold it up, and are made anew when it or the model changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select

from speakr import backends as plumbing
from speakr.backends import get_backends
from speakr.db import db, release, unit_of_work
from speakr.domain.errors import ConnectorRejected, ConnectorUnavailable
from speakr.domain.jobs import KINDS, JobKind, JobState, Queue
from speakr.jobs import runner
from speakr.models import Job, Segment
from speakr.services.search import passages
from speakr.settings import Settings
from tests.api.library import embed_all, write
from tests.conftest import Person
from tests.fakes import FakeEmbedder, MemoryJobNotifier
from tests.jobs.embedded import fail, passages_of, replace_transcript, state_of
from tests.jobs.looking import job_of

Work = Callable[[], int]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, embedding_model="fake-1")


# -- after a transcript


def test_a_transcript_is_followed_by_its_passages(
    alice: Person, recorded: int, work: Work, embedder: FakeEmbedder
) -> None:
    work()
    (passage,) = passages_of(recorded)
    segments = db.session.scalars(select(Segment).where(Segment.recording_id == recorded)).all()
    assert (passage.first_segment_id, passage.last_segment_id) == (
        min(segment.id for segment in segments),
        max(segment.id for segment in segments),
    )
    assert (passage.start, passage.end) == (segments[0].start, segments[-1].end)
    assert passage.model == get_backends().embedding_model
    assert (passage.is_current, len(passage.vector)) == (True, 16)
    assert embedder.asked == [[" ".join(segment.text for segment in segments)]]
    job = job_of(recorded, JobKind.EMBED)
    assert (job.state, job.progress) == (JobState.SUCCEEDED, 100)
    shown = alice.get(f"/api/v1/jobs/{job.id}").json
    assert (shown["kind"], shown["state"]) == ("embed", "succeeded")


def test_it_is_the_last_that_workers_look_for() -> None:
    assert KINDS[JobKind.EMBED].queue is list(Queue)[-1]
    assert {kind.queue for kind in KINDS.values() if kind.is_awaited} == {
        Queue.CLIPS,
        Queue.LANGUAGE,
        Queue.FETCH,
        Queue.SPEECH,
    }


def test_it_delays_no_other_job(alice: Person, upload: Callable, notifier: MemoryJobNotifier) -> None:
    write(alice, "The dog")
    assert passages.queue_missing() == 1
    recording = upload(alice).json["id"]
    assert alice.get(f"/api/v1/recordings/{recording}/status").json["queue_position"] == 1


@pytest.mark.parametrize("error", [ConnectorUnavailable("down"), ConnectorRejected("bad key")])
def test_a_model_that_fails_holds_nothing_up(
    alice: Person, recorded: int, work: Work, embedder: FakeEmbedder, error: Exception
) -> None:
    embedder.before = fail(error)
    work()
    assert state_of(alice, recorded) == "COMPLETED"
    job = job_of(recorded, JobKind.EMBED)
    assert job.state is (JobState.FAILED if isinstance(error, ConnectorRejected) else JobState.QUEUED)
    assert state_of(alice, recorded) == "COMPLETED"
    embedder.before = lambda _: None
    with unit_of_work() as session:
        session.get_one(Job, job.id).not_before = None
    if job.state is JobState.FAILED:
        assert alice.post(f"/api/v1/jobs/{job.id}/retry").status_code == 202
        work()
    else:
        runner.run(job.id)
    assert len(passages_of(recorded)) == 1


def test_without_a_model_nothing_is_queued(
    alice: Person, recorded: int, work: Work, monkeypatch: pytest.MonkeyPatch, count_statements: Callable
) -> None:
    off = replace(get_backends(), settings=replace(get_backends().settings, embedding_model="off"))
    plumbing.set_backends(off)
    work()
    release()
    kinds = db.session.scalars(select(Job.kind).where(Job.recording_id == recorded)).all()
    assert JobKind.TRANSCRIBE in kinds
    assert JobKind.EMBED not in kinds
    with count_statements() as counted:
        assert passages.queue_missing() == 0
    assert counted.number == 0
    for mode in ("meaning", "hybrid"):
        answer = alice.get(f"/api/v1/search?q=heard&mode={mode}")
        assert (answer.status_code, answer.json["code"]) == (400, "no_embedding_model")
        assert "EMBEDDING_MODEL_NAME" in answer.json["error"]
        assert "mode" in answer.json["errors"]
    assert alice.get("/api/v1/search?q=heard").json["mode_used"] == "words"


def test_a_job_that_outlives_the_model_fails(alice: Person, notifier: MemoryJobNotifier) -> None:
    recording = write(alice, "The dog")
    passages.queue_missing()
    plumbing.set_backends(replace(get_backends(), make_embedder=lambda: None))
    runner.run(notifier.notifications.pop()[1])
    job = job_of(recording, JobKind.EMBED)
    assert (job.state, job.error_code) == (JobState.FAILED, "no_embedding_model")


# -- changes


def test_a_new_transcript_is_embedded_anew_and_the_old_one_not_found(
    alice: Person, recorded: int, work: Work, notifier: MemoryJobNotifier, embedder: FakeEmbedder
) -> None:
    work()
    last_before = passages_of(recorded)[0].last_segment_id
    assert alice.post(f"/api/v1/recordings/{recorded}/transcribe", json={}).status_code == 200
    found = []
    while notifier.notifications:
        kind, job_id, _ = notifier.notifications.pop(0)
        if kind == JobKind.EMBED:
            found.append(alice.get("/api/v1/search?q=heard&mode=meaning").json["results"])
        runner.run(job_id)
    assert found == [[]], "between the two"
    (after,) = passages_of(recorded)
    assert after.is_current
    assert after.first_segment_id > last_before
    assert embedder.asked == [embedder.asked[0], ["heard"]], "the same words are not asked about again"
    assert len(alice.get("/api/v1/search?q=heard&mode=meaning").json["results"]) == 1


def test_only_what_is_new_is_asked_about(
    alice: Person, notifier: MemoryJobNotifier, embedder: FakeEmbedder
) -> None:
    long = [f"{animal} " * 100 for animal in ("dog", "cat", "walrus")]
    recording = write(alice, *long)
    embed_all(notifier)
    assert [len(texts) for texts in embedder.asked] == [3]
    vectors = [passage.vector for passage in passages_of(recording)]
    replace_transcript(recording, long[0], "budget " * 100, long[2], long[0])
    with unit_of_work() as session:
        session.query(Job).delete()
    embed_all(notifier)
    assert embedder.asked[1:] == [["budget " * 99 + "budget"]]
    again = [passage.vector for passage in passages_of(recording)]
    assert (again[0], again[2], again[3]) == (vectors[0], vectors[2], vectors[0])


def test_a_model_with_other_dimensions_is_asked_about_all(
    alice: Person, notifier: MemoryJobNotifier, embedder: FakeEmbedder
) -> None:
    recording = write(alice, "dog " * 100, "cat " * 100)
    embed_all(notifier)
    replace_transcript(recording, "dog " * 100, "budget " * 100)
    with unit_of_work() as session:
        session.query(Job).delete()
    embedder.dimensions = 9
    embed_all(notifier)
    assert [len(passage.vector) for passage in passages_of(recording)] == [18, 18]


def test_a_transcript_replaced_meanwhile_is_not_given_the_old_ones_passages(
    alice: Person, notifier: MemoryJobNotifier, embedder: FakeEmbedder
) -> None:
    recording = write(alice, "The dog")
    passages.queue_missing()
    embedder.before = lambda _: replace_transcript(recording, "The cat")
    runner.run(notifier.notifications.pop()[1])
    job = job_of(recording, JobKind.EMBED)
    assert (job.state, job.error_code) == (JobState.QUEUED, "transcript_replaced")
    assert passages_of(recording) == []


def test_a_recording_deleted_meanwhile_leaves_nothing(
    alice: Person, notifier: MemoryJobNotifier, embedder: FakeEmbedder
) -> None:
    recording = write(alice, "The dog")
    passages.queue_missing()
    embedder.before = lambda _: alice.delete(f"/api/v1/recordings/{recording}")
    runner.run(notifier.notifications.pop()[1])
    assert passages_of(recording) == []


def test_a_job_run_twice_stores_once(
    alice: Person, notifier: MemoryJobNotifier, embedder: FakeEmbedder
) -> None:
    recording = write(alice, "The dog")
    passages.queue_missing()
    _, job_id, _ = notifier.notifications.pop()
    embedder.before = lambda _: runner.run(job_id)
    runner.run(job_id)
    assert len(embedder.asked) == 1
    assert len(passages_of(recording)) == 1
