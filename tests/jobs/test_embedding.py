"""Passages follow a transcript, never hold it up, and are made anew when it or the model changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from speakr import backends as plumbing
from speakr.backends import get_backends
from speakr.db import db, release, unit_of_work
from speakr.domain.clock import now
from speakr.domain.errors import ConnectorRejected, ConnectorUnavailable
from speakr.domain.jobs import KINDS, JobKind, JobState, Queue
from speakr.jobs import embed, runner
from speakr.models import Job, Recording, RecordingPassage, Segment
from speakr.services.search import passages, wanted_model
from speakr.services.system import maintenance
from speakr.settings import Settings
from tests.api.library import embed_all, say, write
from tests.conftest import Person
from tests.fakes import FakeEmbedder, MemoryJobNotifier
from tests.jobs.looking import job_of

Work = Callable[[], int]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, embedding_model="fake-1")


def passages_of(recording_id: int) -> list[RecordingPassage]:
    release()
    return list(
        db.session.scalars(
            select(RecordingPassage)
            .where(RecordingPassage.recording_id == recording_id)
            .order_by(RecordingPassage.position)
        )
    )


def state_of(person: Person, recording_id: int) -> str:
    return person.get(f"/api/v1/recordings/{recording_id}/status").json["status"]


def fail(error: Exception) -> Callable[[object], None]:
    def raise_it(_: object) -> None:
        raise error

    return raise_it


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


def replace_transcript(recording_id: int, *said: str) -> None:
    with unit_of_work() as session:
        session.query(Segment).filter_by(recording_id=recording_id).delete()
        passages.put_out_of_date(recording_id)
        session.get_one(Recording, recording_id).transcript_revision += 1
        say(session, recording_id, *said)


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


# -- recordings from before there was a model


@pytest.fixture
def run_maintenance(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def now_and_not_later() -> None:
        monkeypatch.setattr(maintenance, "_next_passages", 0.0)
        maintenance.run_maintenance()

    return now_and_not_later


def test_old_recordings_are_queued_a_few_at_a_time_the_newest_first(
    alice: Person,
    bob: Person,
    notifier: MemoryJobNotifier,
    run_maintenance: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(passages, "MAX_WAITING", 2)
    made = [write(person, "The dog") for person in (alice, bob, alice)]
    write(alice, has_transcription=False)
    run_maintenance()
    assert len(notifier.notifications) == 2
    run_maintenance()
    assert len(notifier.notifications) == 2, "what waits is enough"
    embed_all(notifier)
    for _ in range(2):
        while notifier.notifications:
            runner.run(notifier.notifications.pop(0)[1])
        run_maintenance()
    assert notifier.notifications == []
    assert [len(passages_of(recording)) for recording in made] == [1, 1, 1]
    jobs = db.session.scalars(select(Job.recording_id).order_by(Job.id)).all()
    assert sorted(jobs) == made
    assert jobs[:2] in ([made[2], made[1]], [made[1], made[2]])


def test_a_transcript_without_a_word_is_looked_at_once(
    alice: Person, notifier: MemoryJobNotifier, embedder: FakeEmbedder
) -> None:
    recording = write(alice, " ", "")
    embed_all(notifier)
    with unit_of_work() as session:
        session.query(Job).delete()
    assert passages.queue_missing() == 0
    assert embedder.asked == []
    assert [passage.vector for passage in passages_of(recording)] == [b""]


def test_after_a_failure_old_recordings_wait_and_are_tried_again(
    alice: Person, notifier: MemoryJobNotifier, embedder: FakeEmbedder
) -> None:
    first, second = write(alice, "The dog"), write(alice, "The cat")
    passages.queue_missing()
    embedder.before = fail(ConnectorRejected("bad key"))
    while notifier.notifications:
        runner.run(notifier.notifications.pop(0)[1])
    write(alice, "The walrus")
    assert passages.queue_missing() == 0
    with unit_of_work() as session:
        session.query(Job).update({"finished_at": now() - timedelta(minutes=11)})
    assert passages.queue_missing() == 1, "others, but not yet the same"
    with unit_of_work() as session:
        session.query(Job).update({"queued_at": now() - timedelta(minutes=61)})
    embedder.before = lambda _: None
    embed_all(notifier)
    assert len(passages_of(first)) == len(passages_of(second)) == 1
    of_first = db.session.scalars(select(Job.state).where(Job.recording_id == first)).all()
    assert of_first == [JobState.SUCCEEDED], "of tries that failed only the last is kept"


def test_another_model_embeds_everything_anew(
    alice: Person, notifier: MemoryJobNotifier, embedder: FakeEmbedder
) -> None:
    recording = write(alice, "The dog")
    embed_all(notifier)
    with unit_of_work() as session:
        session.query(Job).delete()
    plumbing.set_backends(
        replace(get_backends(), settings=replace(get_backends().settings, embedding_model="fake-2"))
    )
    embed_all(notifier)
    assert [passage.model.split("#")[0] for passage in passages_of(recording)] == ["fake-2"]
    assert len(embedder.asked) == 2


def use_model(**changes: str) -> None:
    plumbing.set_backends(
        replace(get_backends(), settings=replace(get_backends().settings, **changes))  # type: ignore[arg-type]
    )


def test_the_same_name_at_another_server_embeds_everything_anew(
    alice: Person, notifier: MemoryJobNotifier, embedder: FakeEmbedder
) -> None:
    recording = write(alice, "The dog")
    embed_all(notifier)
    before = passages_of(recording)[0].model
    with unit_of_work() as session:
        session.query(Job).delete()
    use_model(embedding_base_url="https://other.test/v1")
    embed_all(notifier)
    assert passages_of(recording)[0].model != before
    assert len(embedder.asked) == 2


def test_other_dimensions_of_one_recording_embed_the_others_anew(
    alice: Person, notifier: MemoryJobNotifier, embedder: FakeEmbedder
) -> None:
    made = [write(alice, "The dog"), write(alice, "The cat"), write(alice, " ")]
    embed_all(notifier)
    embedder.dimensions = 9
    made.append(write(alice, "The budget"))
    embed_all(notifier)
    with unit_of_work() as session:
        session.query(Job).delete()
    embed_all(notifier)
    sizes = [[len(passage.vector) for passage in passages_of(number)] for number in made]
    assert sizes == [[18], [18], [0], [18]]
    assert passages.queue_missing() == 0


def test_a_worker_with_another_model_leaves_the_job_to_others(
    alice: Person, notifier: MemoryJobNotifier, embedder: FakeEmbedder
) -> None:
    recording = write(alice, "The dog")
    passages.queue_missing()
    _, job_id, _ = notifier.notifications.pop()
    use_model(embedding_model="fake-2")
    runner.run(job_id)
    job = job_of(recording, JobKind.EMBED)
    assert (job.state, job.error_code) == (JobState.QUEUED, "other_embedding_model")
    assert embedder.asked == []
    use_model(embedding_model="fake-1")
    with unit_of_work() as session:
        session.get_one(Job, job_id).not_before = None
    runner.run(job_id)
    assert len(passages_of(recording)) == 1


def test_two_hosts_with_different_models_do_not_replace_each_others_vectors(
    alice: Person, notifier: MemoryJobNotifier, embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared: dict[str, str | None] = {"fake-1": None, "fake-2": None}
    recording = write(alice, "The dog")
    for host in ("fake-1", "fake-2") * 3:
        use_model(embedding_model=host)
        monkeypatch.setattr(wanted_model, "_declared", declared[host])
        passages.queue_missing()
        declared[host] = wanted_model._declared
        use_model(embedding_model="fake-2")
        with unit_of_work() as session:
            session.query(Job).update({"queued_at": now() - timedelta(minutes=61), "not_before": None})
        for job_id in db.session.scalars(select(Job.id).where(Job.state == JobState.QUEUED)).all():
            release()
            runner.run(job_id)
    assert [passage.model.split("#")[0] for passage in passages_of(recording)] == ["fake-2"]
    assert len(embedder.asked) == 1


def test_vectors_of_a_long_transcript_outlive_a_failure(
    alice: Person, notifier: MemoryJobNotifier, embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed, "TEXTS_AT_ONCE", 2)
    said = [f"{animal} " * 100 for animal in ("dog", "cat", "walrus", "budget", "seal")]
    recording = write(alice, *said)
    passages.queue_missing()
    _, job_id, _ = notifier.notifications.pop()

    def fail_third(_: object) -> None:
        if len(embedder.asked) == 2:
            raise ConnectorUnavailable("down")

    embedder.before = fail_third
    runner.run(job_id)
    assert not any(passage.is_current for passage in passages_of(recording))
    embedder.before = lambda _: None
    assert alice.get("/api/v1/search?q=hound&mode=meaning").json["results"] == []
    embedder.asked.pop()
    with unit_of_work() as session:
        session.get_one(Job, job_id).not_before = None
    runner.run(job_id)
    assert [len(texts) for texts in embedder.asked] == [2, 2, 1], "nothing is asked about twice"
    assert [passage.position for passage in passages_of(recording)] == [0, 1, 2, 3, 4]
    assert all(passage.is_current for passage in passages_of(recording))


def test_a_refused_transcript_is_tried_ever_more_rarely_until_it_changes(
    alice: Person, notifier: MemoryJobNotifier, embedder: FakeEmbedder
) -> None:
    recording = write(alice, "The dog")
    embedder.before = fail(ConnectorRejected("too odd"))

    def is_queued_after(hours: int) -> bool:
        with unit_of_work() as session:
            moment = now() - timedelta(hours=hours, minutes=1)
            session.query(Job).update({"queued_at": moment, "finished_at": moment})
        queued = passages.queue_missing()
        while notifier.notifications:
            runner.run(notifier.notifications.pop(0)[1])
        return bool(queued)

    assert is_queued_after(0)
    assert is_queued_after(1)
    assert [is_queued_after(1), is_queued_after(8)] == [False, True]
    assert [is_queued_after(8), is_queued_after(72)] == [False, True]
    assert is_queued_after(72) is False
    embedder.before = lambda _: None
    replace_transcript(recording, "The cat")
    assert is_queued_after(2), "the transcript is another one"
    assert len(passages_of(recording)) == 1
