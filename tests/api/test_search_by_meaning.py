"""Search by meaning: near passages are found by permitted users, and words are searched without the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from speakr.backends import get_backends, set_backends
from speakr.connectors.embedding import make_embedding_connector
from speakr.db import db, unit_of_work
from speakr.domain.errors import (
    ConnectorBusy,
    ConnectorRejected,
    ConnectorUnavailable,
    EmbeddingModelUnavailable,
)
from speakr.domain.permissions import Actor, GroupRole
from speakr.model_files.catalogue import SENTENCES, SENTENCES_IN_LANGUAGES
from speakr.model_files.store import shared_folder
from speakr.models import (
    Folder,
    Group,
    GroupMembership,
    Recording,
    RecordingPassage,
    RecordingShare,
    RecordingTag,
    Segment,
    Tag,
)
from speakr.services.recordings.listing import Filters
from speakr.services.search import by_meaning, nearest_passages
from speakr.services.system import system_settings
from speakr.settings import Settings
from tests.api.library import embed_all, share, write
from tests.conftest import Person
from tests.fakes import FakeEmbedder, MemoryJobNotifier


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, embedding_model="fake-1")


def ask(person: Person, q: str, mode: str = "meaning", **params: object) -> Any:
    return person.get("/api/v1/search", query_string={"q": q, "mode": mode, **params})


def found(person: Person, q: str, mode: str = "meaning", **params: object) -> list[int]:
    answer = ask(person, q, mode, **params)
    assert answer.status_code == 200, answer.json
    return [result["recording"]["id"] for result in answer.json["results"]]


# -- matches


def test_what_is_meant_is_found_in_other_words(alice: Person, notifier: MemoryJobNotifier) -> None:
    cats, dogs = write(alice, "A kitten slept", "on the <sofa>"), write(alice, "The hound barked")
    embed_all(notifier)
    answer = ask(alice, "puppy")
    assert [result["recording"]["id"] for result in answer.json["results"]] == [dogs, cats], "nearest first"
    assert answer.json["mode_used"] == "meaning"
    assert answer.json["pagination"] | {"page": 1} == {
        "page": 1,
        "per_page": 20,
        "total": 2,
        "total_is_exact": True,
        "total_pages": 1,
        "has_next": False,
        "has_prev": False,
    }
    (match,) = answer.json["results"][1]["matches"]
    first = db.session.scalar(select(func.min(Segment.id)).where(Segment.recording_id == cats))
    assert match == {
        "field": "transcript",
        "snippet": "A kitten slept on the &lt;sofa&gt;",
        "segment_id": first,
        "start_time": 0.0,
        "end_time": 19.0,
        "speaker": "SPEAKER_00",
    }
    assert found(alice, "puppy", "words") == []


def test_both_ways_together_rank_what_both_find_first(alice: Person, notifier: MemoryJobNotifier) -> None:
    written = write(alice, "Nothing to see", summary="dog")
    said_twice = write(alice, "The dog and the hound")
    meant = write(alice, "A puppy")
    embed_all(notifier)
    answer = ask(alice, "dog", "hybrid")
    assert answer.json["mode_used"] == "hybrid"
    assert [result["recording"]["id"] for result in answer.json["results"]] == [said_twice, written, meant]
    matches = {
        result["recording"]["id"]: [match["snippet"] for match in result["matches"]]
        for result in answer.json["results"]
    }
    assert matches == {
        said_twice: ["The <mark>dog</mark> and the hound"],
        meant: ["A puppy"],
        written: ["<mark>dog</mark>", "Nothing to see"],
    }
    assert found(alice, "dog", "hybrid", field="transcript")[0] == said_twice


def test_pages_follow_one_another(alice: Person, notifier: MemoryJobNotifier) -> None:
    made = [write(alice, f"A dog {'cat ' * n}") for n in range(5)]
    embed_all(notifier)
    for mode in ("meaning", "hybrid"):
        whole = found(alice, "dog", mode)
        assert sorted(whole) == made
        pages = [ask(alice, "dog", mode, page=page, per_page=2).json for page in (1, 2, 3, 4)]
        assert [r["recording"]["id"] for page in pages for r in page["results"]] == whole
        assert [page["pagination"]["has_next"] for page in pages] == [True, True, False, False]


def test_more_passages_than_are_compared_at_once_are_compared(
    alice: Person, notifier: MemoryJobNotifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearest_passages, "PASSAGES_AT_ONCE", 2)
    monkeypatch.setattr(by_meaning, "NEAREST", 3)
    best = write(alice, "hound")
    for _ in range(3):
        write(alice, "the cat")
    next_best = [write(alice, "a dog and a cat and a cat") for _ in range(2)]
    write(alice, "the budget")
    embed_all(notifier)
    assert found(alice, "puppy") == [best, *reversed(next_best)]


def test_nothing_is_found_where_nothing_is(alice: Person, notifier: MemoryJobNotifier) -> None:
    assert found(alice, "dog") == found(alice, "dog", "hybrid") == []
    write(alice, " ", "")
    embed_all(notifier)
    assert found(alice, "dog") == []


# -- access


def test_only_visible_recordings_are_found(alice: Person, bob: Person, notifier: MemoryJobNotifier) -> None:
    hers, his = write(alice, "The dog"), write(bob, "The cat")
    embed_all(notifier)
    for mode in ("meaning", "hybrid"):
        assert found(alice, "dog", mode) == [hers]
        assert found(bob, "dog", mode) == [his]


def test_a_share_is_found_until_it_is_taken_back(
    alice: Person, bob: Person, notifier: MemoryJobNotifier
) -> None:
    shared = write(alice, "The dog", notes="puppy", is_highlighted=True)
    write(alice, "The hound")
    embed_all(notifier)
    share(shared, bob)
    for mode in ("meaning", "hybrid"):
        answer = ask(bob, "puppy", mode).json
        assert [result["recording"]["id"] for result in answer["results"]] == [shared]
        assert [match["field"] for match in answer["results"][0]["matches"]] == ["transcript"]
        assert answer["results"][0]["recording"]["is_highlighted"] is False
        assert found(bob, "puppy", mode, starred="true") == []
    with unit_of_work() as session:
        session.query(RecordingShare).delete()
    for mode in ("meaning", "hybrid"):
        assert found(bob, "puppy", mode) == []
    share(shared, bob)
    with unit_of_work():
        system_settings.put("enable_internal_sharing", value=False)
    assert found(bob, "puppy") == []


def test_who_leaves_a_group_finds_its_recordings_no_more(
    alice: Person, bob: Person, notifier: MemoryJobNotifier
) -> None:
    tagged, filed, _ = (write(alice, "The dog") for _ in range(3))
    with unit_of_work() as session:
        group = Group(name="g")
        session.add(group)
        session.flush()
        session.add(GroupMembership(group_id=group.id, user_id=bob.id, role=GroupRole.MEMBER))
        tag, folder = Tag(group_id=group.id, name="ours"), Folder(group_id=group.id, name="ours")
        session.add_all([tag, folder])
        session.flush()
        session.add(RecordingTag(recording_id=tagged, tag_id=tag.id, position=1))
        session.get_one(Recording, filed).folder_id = folder.id
    embed_all(notifier)
    assert found(bob, "puppy") == [filed, tagged]
    with unit_of_work() as session:
        session.query(GroupMembership).delete()
    assert found(bob, "puppy") == []


def test_filters_are_those_of_the_list(alice: Person, notifier: MemoryJobNotifier) -> None:
    marked, plain = write(alice, "The dog", is_highlighted=True), write(alice, "The hound")
    with unit_of_work() as session:
        tag = Tag(user_id=alice.id, name="zoo")
        session.add(tag)
        session.flush()
        session.add(RecordingTag(recording_id=marked, tag_id=tag.id, position=1))
    embed_all(notifier)
    for mode in ("meaning", "hybrid"):
        assert found(alice, "dog", mode, starred="true") == [marked]
        assert found(alice, "dog", mode, tag="zoo") == [marked]
        assert found(alice, "dog", mode, ids=str(plain)) == [plain]
        assert found(alice, "dog", mode, date_from="2999-01-01") == []


# -- failures


FAILURES = [
    (ConnectorUnavailable("host 10.0.0.7 is down"), "30"),
    (ConnectorBusy("wait", retry_after_seconds=12), "12"),
    (ConnectorBusy("wait", retry_after_seconds=1e9), "3600"),
    (ConnectorRejected("bad key sk-secret"), "30"),
]


@pytest.mark.parametrize(("error", "retry_after"), FAILURES)
def test_without_the_model_words_are_searched_for_and_it_is_said(
    alice: Person, notifier: MemoryJobNotifier, embedder: FakeEmbedder, error: Exception, retry_after: str
) -> None:
    recording, _ = write(alice, "The dog"), write(alice, "The hound")
    embed_all(notifier)

    def fail(_: object) -> None:
        raise error

    embedder.before = fail
    answer = ask(alice, "dog", "hybrid")
    assert (answer.status_code, answer.json["mode_used"]) == (200, "words")
    assert [result["recording"]["id"] for result in answer.json["results"]] == [recording]
    refused = ask(alice, "dog")
    assert (refused.status_code, refused.json["code"]) == (503, "embedding_model_unavailable")
    assert refused.json["error"] == "Search by meaning is not available"
    left = int(retry_after) - int(refused.headers["Retry-After"])
    assert 0 <= left < 30 * 0.9, "what is left of the pause since the first question"


def test_a_model_that_failed_is_left_alone_for_a_while(
    alice: Person, embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fail(texts: object) -> None:
        asked.append(texts)
        raise ConnectorUnavailable("down")

    embedder.before = fail
    for _ in range(3):
        assert ask(alice, "dog", "hybrid").json["mode_used"] == "words"
    assert len(asked) == 1
    embedder.before = lambda _: None
    monkeypatch.setattr(nearest_passages._engine, "retry_at", 0.0)
    assert ask(alice, "dog", "hybrid").json["mode_used"] == "hybrid"


@pytest.mark.on_sqlite
def test_a_model_that_is_prepared_while_the_server_runs_is_used(app: Flask, tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    here = replace(get_backends().settings, embedding_model="", models_dir=str(models))
    set_backends(replace(get_backends(), settings=here, make_embedder=lambda: make_embedding_connector(here)))
    (models / SENTENCES.name).symlink_to(shared_folder() / SENTENCES.name)
    assert len(nearest_passages.vector_of("dog")) == 2 * 384
    (models / SENTENCES_IN_LANGUAGES.name).symlink_to(shared_folder() / SENTENCES_IN_LANGUAGES.name)
    assert len(nearest_passages.vector_of("dog")) == 2 * (384 + 512)
    (models / SENTENCES.name).unlink()
    with pytest.raises(EmbeddingModelUnavailable):
        nearest_passages.vector_of("dog")


def test_a_refused_query_does_not_disable_the_engine(alice: Person, embedder: FakeEmbedder) -> None:
    def refuse(texts: list[str]) -> None:
        if "bad" in texts[0]:
            raise ConnectorRejected("not this")

    embedder.before = refuse
    assert ask(alice, "bad", "hybrid").json["mode_used"] == "words"
    assert ask(alice, "dog", "hybrid").json["mode_used"] == "hybrid"


def test_no_transaction_is_open_while_the_model_thinks(alice: Person, embedder: FakeEmbedder) -> None:
    seen = []
    embedder.before = lambda _: seen.append(db.session().in_transaction())
    ask(alice, "dog")
    assert seen == [False]


def test_vectors_of_another_length_or_model_are_not_compared(
    alice: Person, notifier: MemoryJobNotifier, embedder: FakeEmbedder
) -> None:
    write(alice, "The dog")
    embed_all(notifier)
    embedder.dimensions = 9
    assert found(alice, "dog") == []
    embedder.dimensions = 8
    assert len(found(alice, "dog")) == 1
    with unit_of_work() as session:
        session.query(RecordingPassage).update({"model": "another"})
    assert found(alice, "dog") == []


@pytest.mark.on_sqlite
@pytest.mark.parametrize("mode", ["meaning", "hybrid"])
@pytest.mark.parametrize(
    ("params", "field"),
    [({"q": " "}, "q"), ({"q": "x" * 501}, "q"), ({"field": "notes"}, "field"), ({"mode": "magic"}, "mode")],
)
def test_bad_queries_are_reported_by_field(
    alice: Person, embedder: FakeEmbedder, mode: str, params: dict[str, str], field: str
) -> None:
    answer = ask(alice, **{"q": "dog", "mode": mode, **params})
    assert (answer.status_code, answer.json["code"]) == (400, "invalid")
    assert field in answer.json["errors"]
    assert embedder.asked == []


def test_a_long_sentence_may_be_asked_by_meaning_alone(alice: Person) -> None:
    sentence = " ".join(f"word{n}" for n in range(30))
    assert found(alice, sentence) == []
    assert ask(alice, sentence, "hybrid").status_code == 400


# -- costs


def test_a_large_library_takes_as_many_statements_as_a_small_one(
    alice: Person, bob: Person, notifier: MemoryJobNotifier, count_statements: Any
) -> None:
    counts: dict[str, list[int]] = {"meaning": [], "hybrid": []}
    for more in (1, 9):
        for _ in range(more):
            write(alice, "The dog", "and a hound")
            share(write(bob, "The dog"), alice)
        embed_all(notifier)
        for mode, numbers in counts.items():
            ask(alice, "dog", mode)
            with count_statements() as counted:
                assert len(found(alice, "dog", mode)) == 2 * (1 if more == 1 else 10)
            numbers.append(counted.number)
    assert counts["meaning"][0] == counts["meaning"][1] <= 10
    assert counts["hybrid"][0] == counts["hybrid"][1] <= 16


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_only_ones_own_passages_are_read(alice: Person) -> None:
    query = nearest_passages._visible(Actor(alice.id, "alice", is_admin=False, scopes=frozenset()), Filters())
    steps = db.session.connection().exec_driver_sql(
        f"EXPLAIN QUERY PLAN {query.compile(db.engine, compile_kwargs={'literal_binds': True})}"
    )
    details = [step.detail for step in steps]
    assert not [detail for detail in details if detail.startswith("SCAN recording")], details


def test_deleting_a_recording_deletes_its_passages(alice: Person, notifier: MemoryJobNotifier) -> None:
    recording = write(alice, "The dog")
    embed_all(notifier)
    count = select(func.count()).select_from(RecordingPassage)
    assert db.session.scalar(count) == 1
    assert alice.delete(f"/api/v1/recordings/{recording}").status_code == 200
    db.session.rollback()
    assert db.session.scalar(count) == 0
