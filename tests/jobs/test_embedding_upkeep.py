"""Passages of old recordings are made in the background, and made anew when the model changes."""

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
from speakr.domain.jobs import JobKind, JobState
from speakr.jobs import embed, runner
from speakr.models import Job
from speakr.services.search import passages, wanted_model
from speakr.services.system import maintenance
from speakr.settings import Settings
from tests.api.library import embed_all, write
from tests.conftest import Person
from tests.fakes import FakeEmbedder, MemoryJobNotifier
from tests.jobs.embedded import fail, passages_of, replace_transcript
from tests.jobs.looking import job_of

Work = Callable[[], int]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, embedding_model="fake-1")


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
