"""Questions about all recordings: only visible ones, with sources, with and without an embedding model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from speakr.connectors.language.base import ChatRequest
from speakr.connectors.language.embedded import EmbeddedLanguageConnector
from speakr.db import db, unit_of_work
from speakr.domain.conversation import ChatAnswer
from speakr.domain.errors import ConnectorUnavailable
from speakr.domain.permissions import Scope
from speakr.domain.statements import Usage
from speakr.models import RecordingShare, RecordingSpeaker, RecordingTag, Segment, Tag, User
from speakr.services.language import library_chat, library_passages
from speakr.services.system import system_settings
from speakr.settings import Settings
from tests.api.library import embed_all, share, write
from tests.api.talk import tokens_of
from tests.conftest import Person
from tests.fakes import FakeEmbedder, FakeWriter, MemoryJobNotifier


@pytest.fixture(params=["words", "hybrid"])
def mode(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def settings(settings: Settings, mode: str) -> Settings:
    return replace(settings, embedding_model="fake-1" if mode == "hybrid" else "off")


@pytest.fixture
def make(notifier: MemoryJobNotifier) -> Callable[..., int]:
    """Write a recording and embed it, if there is an embedding model."""

    def made(person: Person, *said: str, **values: object) -> int:
        recording = write(person, *said, **values)
        embed_all(notifier)
        return recording

    return made


def ask(person: Person, message: str, **body: Any) -> Any:
    return person.post("/api/v1/chat", json={"message": message, **body})


def shown(writer: FakeWriter) -> list[str]:
    return [line.text for line in writer.questions[-1].lines if line.text]


def answering(writer: FakeWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "chat", EmbeddedLanguageConnector().chat)


# -- answers


def test_an_answer_comes_with_its_sources(
    alice: Person, make: Callable[..., int], writer: FakeWriter, mode: str
) -> None:
    recording = make(alice, "Hello.", "The walrus eats fish.", title="Zoo", meeting_date=None)
    with unit_of_work() as session:
        session.add(RecordingSpeaker(recording_id=recording, label="SPEAKER_00", name="Ann"))
    answer = ask(alice, "What does the walrus eat?", unknown="ignored")
    assert answer.status_code == 200, answer.json
    (source,) = answer.json["sources"]
    segment = db.session.get_one(Segment, source["segment_id"])
    assert (segment.recording_id, segment.text) == (recording, "The walrus eats fish.")
    assert {**source, "segment_id": 0} == {
        "recording_id": recording,
        "recording_title": "Zoo",
        "segment_id": 0,
        "segment_index": 1,
        "start_time": 10.0,
        "end_time": 19.0,
        "speaker": "Ann",
        "quote": "The walrus eats fish.",
    }
    assert answer.json["unverified"] == []
    assert answer.json["mode_used"] == mode
    (question,) = writer.questions
    assert question.question == "What does the walrus eat?"
    assert tokens_of(alice) == 23
    line = next(line for line in question.lines if "walrus" in line.text)
    assert line.speaker == "Ann"
    assert line.origin.startswith("“Zoo” of 20")


def test_the_embedded_engine_quotes_out_of_several_recordings(
    alice: Person, make: Callable[..., int], writer: FakeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(writer, monkeypatch)
    first = make(alice, "The server costs nine thousand euros.", title="Servers")
    second = make(alice, "A new server would cost less.", "It is loud.", title="Offers")
    make(alice, "The cat slept.")
    body = ask(alice, "What does a server cost?").json
    assert {source["recording_id"] for source in body["sources"]} == {first, second}
    assert "SPEAKER_00 in “Servers” of 20" in body["response"]
    assert "“The server costs nine thousand euros.” [" in body["response"]
    for source in body["sources"]:
        assert source["quote"] in db.session.get_one(Segment, source["segment_id"]).text


@pytest.mark.parametrize("mode", ["words"], indirect=True)
@pytest.mark.parametrize("message", ["Pineapples?", "What is it?", "?!", "Done"])
def test_where_nothing_matches_no_model_is_asked(
    alice: Person, make: Callable[..., int], writer: FakeWriter, message: str
) -> None:
    make(alice, "The walrus")
    answer = ask(alice, message, conversation_history=[{"role": "user", "content": ""}]).json
    assert (answer["response"], answer["sources"]) == (library_chat.NOTHING, [])
    assert writer.questions == []
    assert tokens_of(alice) == 0


def test_a_question_that_names_nothing_goes_on_about_the_one_before(
    alice: Person, make: Callable[..., int], writer: FakeWriter
) -> None:
    make(alice, "The walrus eats fish.")
    history = [{"role": "user", "content": "The walrus?"}, {"role": "assistant", "text": "Eats fish."}]
    assert ask(alice, "And why?", conversation_history=history).status_code == 200
    assert shown(writer) == ["The walrus eats fish."]
    assert [turn.text for turn in writer.questions[0].history] == ["The walrus?", "Eats fish."]


def test_what_speaks_most_of_it_is_read_and_not_everything(
    alice: Person, make: Callable[..., int], writer: FakeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library_passages, "MAX_PASSAGES", 2)
    monkeypatch.setattr(library_passages, "MAX_RECORDINGS", 2)
    for _ in range(3):
        make(alice, "Fish is on the menu.")
    filler = "so and so " * 45
    make(alice, filler, "The walrus eats fish", filler)
    ask(alice, "Which fish does the walrus eat?")
    assert "The walrus eats fish" in " ".join(shown(writer))
    blanks = [at for at, line in enumerate(writer.questions[0].lines) if not line.text]
    assert len(blanks) == 2, "two passages, with nothing said between them"


@pytest.mark.parametrize("mode", ["words"], indirect=True)
def test_statements_that_nothing_bears_out_are_marked(
    alice: Person, make: Callable[..., int], writer: FakeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lie(request: ChatRequest) -> ChatAnswer:
        return ChatAnswer(
            text="It flies.", sources=(), engine="x", usage=Usage(1, 1), unverified=["It flies."]
        )

    monkeypatch.setattr(writer, "chat", lie)
    make(alice, "The walrus eats fish.")
    assert ask(alice, "The walrus?").json["unverified"] == ["It flies."]


@pytest.mark.parametrize("mode", ["words"], indirect=True)
def test_what_was_said_in_another_language_is_found_by_its_words(
    alice: Person, make: Callable[..., int], writer: FakeWriter
) -> None:
    make(alice, "予算は九千ユーロです")
    ask(alice, "予算は?")
    assert shown(writer) == ["予算は九千ユーロです"]


# -- access


def test_only_visible_recordings_are_read(
    alice: Person, bob: Person, make: Callable[..., int], writer: FakeWriter
) -> None:
    make(alice, "Her walrus")
    make(bob, "His walrus")
    ask(alice, "walrus?")
    assert shown(writer) == ["Her walrus"]
    ask(bob, "walrus?")
    assert shown(writer) == ["His walrus"]


def test_a_share_is_read_until_it_is_taken_back_and_never_its_notes(
    alice: Person, bob: Person, make: Callable[..., int], writer: FakeWriter
) -> None:
    shared = make(alice, "Her walrus", notes="a secret walrus", title="Zoo")
    make(alice, "Her other walrus")
    share(shared, bob)
    answer = ask(bob, "walrus?")
    assert [source["recording_id"] for source in answer.json["sources"]] == [shared]
    assert shown(writer) == ["Her walrus"]
    assert "secret" not in str(writer.questions)
    assert (tokens_of(alice), tokens_of(bob)) == (0, 23)
    with unit_of_work() as session:
        session.query(RecordingShare).delete()
    assert ask(bob, "walrus?").json["response"] == library_chat.NOTHING
    share(shared, bob)
    with unit_of_work():
        system_settings.put("enable_internal_sharing", value=False)
    assert ask(bob, "walrus?").json["response"] == library_chat.NOTHING
    assert len(writer.questions) == 1


def test_filters_are_those_of_the_list(
    alice: Person, bob: Person, make: Callable[..., int], writer: FakeWriter
) -> None:
    marked, plain = make(alice, "The walrus", is_highlighted=True), make(alice, "A walrus")
    shared = make(bob, "His walrus", is_highlighted=True)
    share(shared, alice)
    with unit_of_work() as session:
        tag = Tag(user_id=alice.id, name="zoo")
        session.add(tag)
        session.flush()
        session.add(RecordingTag(recording_id=marked, tag_id=tag.id, position=1))
        tag_id = tag.id
    for filters in ({"starred": True}, {"tag": "zoo"}, {"tag_id": tag_id}, {"ids": str(marked)}):
        assert ask(alice, "walrus?", **filters).status_code == 200
        assert shown(writer) == ["The walrus"], filters
    ask(alice, "walrus?", ids=f"{plain},{shared}")
    assert sorted(shown(writer)) == ["A walrus", "His walrus"]
    assert ask(alice, "walrus?", date_from="2999-01-01").json["sources"] == []


# -- failures


@pytest.mark.on_sqlite
@pytest.mark.parametrize("mode", ["words"], indirect=True)
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "message"),
        ({"message": " \n"}, "message"),
        ({"message": 5}, "message"),
        ({"message": "x" * 20_001}, "message"),
        (
            {"message": "a", "conversation_history": [{"role": "system", "content": "b"}]},
            "conversation_history",
        ),
        ({"message": "a", "tag_id": "b"}, "tag_id"),
        ({"message": "a", "ids": "1,b"}, "ids"),
        ({"message": "a", "date_from": "yesterday"}, "date_from"),
        ({"message": "a", "starred": "maybe"}, "starred"),
    ],
)
def test_bad_bodies_are_reported_by_field(
    alice: Person, writer: FakeWriter, embedder: FakeEmbedder, body: dict[str, Any], field: str
) -> None:
    answer = alice.post("/api/v1/chat", json=body)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid")
    assert [name for name in answer.json["errors"] if name.startswith(field)]
    assert writer.questions == embedder.asked == []


@pytest.mark.parametrize("mode", ["words"], indirect=True)
def test_the_token_needs_the_scope(make_person: Callable[..., Person]) -> None:
    reader = make_person("reader", scopes=frozenset({Scope.READ, Scope.WRITE}))
    assert ask(reader, "walrus?").json["code"] == "scope_missing"


@pytest.mark.parametrize("mode", ["words"], indirect=True)
def test_an_unavailable_language_model_is_reported(
    alice: Person, make: Callable[..., int], writer: FakeWriter
) -> None:
    def fail(_: object) -> None:
        raise ConnectorUnavailable("host 10.0.0.7 is down", retry_after_seconds=12)

    make(alice, "The walrus")
    writer.before = fail
    answer = ask(alice, "walrus?")
    assert (answer.status_code, answer.json["code"]) == (503, "language_model_unavailable")
    assert answer.headers["Retry-After"] == "12"
    assert "10.0.0.7" not in answer.text


@pytest.mark.parametrize("mode", ["hybrid"], indirect=True)
def test_without_the_embedding_model_words_are_enough(
    alice: Person, make: Callable[..., int], embedder: FakeEmbedder, writer: FakeWriter
) -> None:
    def fail(_: object) -> None:
        raise ConnectorUnavailable("down")

    make(alice, "The walrus")
    embedder.before = fail
    answer = ask(alice, "walrus?")
    assert (answer.status_code, answer.json["mode_used"]) == (200, "words")
    assert shown(writer) == ["The walrus"]


@pytest.mark.parametrize("mode", ["words"], indirect=True)
def test_who_has_spent_all_tokens_may_not_ask(
    alice: Person, make: Callable[..., int], writer: FakeWriter
) -> None:
    make(alice, "The walrus")
    with unit_of_work():
        db.session.get_one(User, alice.id).token_budget = 20
    assert ask(alice, "walrus?").status_code == 200
    answer = ask(alice, "walrus?")
    assert (answer.status_code, answer.json["code"]) == (403, "token_budget_exceeded")
    assert len(writer.questions) == 1


def test_no_transaction_is_open_while_the_model_thinks(
    alice: Person, make: Callable[..., int], writer: FakeWriter
) -> None:
    make(alice, "The walrus")
    seen = []
    writer.before = lambda _: seen.append(db.session().in_transaction())
    assert ask(alice, "walrus?").status_code == 200
    assert seen == [False]


@pytest.mark.parametrize("mode", ["words"], indirect=True)
def test_a_question_sent_twice_with_a_key_is_asked_once(
    alice: Person, make: Callable[..., int], writer: FakeWriter
) -> None:
    make(alice, "The walrus")
    sent = {"json": {"message": "walrus?"}, "headers": {"Idempotency-Key": "k"}}
    first, second = (alice.post("/api/v1/chat", **sent) for _ in range(2))
    assert first.status_code == 200
    assert first.json == second.json
    assert len(writer.questions) == 1
    assert tokens_of(alice) == 23


# -- costs


def test_a_large_library_takes_as_many_statements_as_a_small_one(
    alice: Person, bob: Person, make: Callable[..., int], count_statements: Callable[[], Any]
) -> None:
    counts = []
    for more in (1, 9):
        for _ in range(more):
            make(alice, "The walrus eats fish", "and more")
            share(make(bob, "His walrus"), alice)
        ask(alice, "walrus?")
        with count_statements() as counted:
            assert ask(alice, "Which fish does a walrus eat?").status_code == 200
        counts.append(counted.number)
    assert counts[0] == counts[1] <= 24
