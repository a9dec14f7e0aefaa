"""Questions about a recording: the answer, its sources, and what is not taken for a question."""

from __future__ import annotations

from typing import Any

import pytest

from speakr.connectors.language.embedded import EmbeddedLanguageConnector
from speakr.db import db, unit_of_work
from tests.api.talk import ROUTES, TALK, post, with_transcript
from tests.conftest import Person
from tests.fakes import FakeWriter


@pytest.fixture
def talk(alice: Person, upload) -> int:
    """A recording of alice's with a transcript."""
    return with_transcript(upload(alice, title="Talk").json["id"], TALK)


def test_an_answer_comes_with_its_sources(alice: Person, talk: int, writer: FakeWriter) -> None:
    answer = post(alice, talk, "chat", message="When does it arrive?", unknown="ignored")
    assert answer.status_code == 200, answer.json
    assert answer.json == {
        "response": "4 lines [1]",
        "sources": [
            {
                "segment_id": answer.json["sources"][0]["segment_id"],
                "segment_index": 3,
                "start_time": 15.0,
                "end_time": 19.5,
                "speaker": "SPEAKER_01",
                "quote": "In March.",
            }
        ],
        "unverified": [],
        "coverage": 1.0,
    }
    (question,) = writer.questions
    assert question.question == "When does it arrive?"
    assert [line.text for line in question.lines] == [text for _, text in TALK]
    assert "title: Talk" in (question.notes or "")
    assert alice.get("/api/v1/stats").json["tokens"]["used_this_month"] == 23


def test_the_embedded_engine_answers_through_the_api(
    alice: Person, talk: int, writer: FakeWriter, monkeypatch
) -> None:
    monkeypatch.setattr(writer, "chat", EmbeddedLanguageConnector().chat)
    body = post(alice, talk, "chat", message="What does the server cost?").json
    assert "SPEAKER_01 at 00:00:05: “Hi Alice. The server costs nine thousand euros.” [1]" in body["response"]
    assert body["sources"][0]["segment_index"] == 1
    nothing = post(alice, talk, "chat", message="Pineapples?").json
    assert nothing["sources"] == []
    assert "Nothing in this recording matches" in nothing["response"]


@pytest.mark.parametrize("name", ["content", "text"])
def test_history_reaches_the_engine_under_either_name(
    alice: Person, talk: int, writer: FakeWriter, name: str
) -> None:
    history = [{"role": "user", name: "Who?", "id": 7}, {"role": "assistant", name: "Alice."}]
    assert post(alice, talk, "chat", message="And when?", conversation_history=history).status_code == 200
    assert [(turn.role.value, turn.text) for turn in writer.questions[0].history] == [
        ("user", "Who?"),
        ("assistant", "Alice."),
    ]


@pytest.mark.parametrize("kwargs", [{}, {"content_type": "application/json"}])
def test_a_body_needs_no_content_type(alice: Person, talk: int, kwargs: dict[str, str]) -> None:
    data = b'{"message": "What?", "conversation_history": null}'
    assert alice.post(f"/api/v1/recordings/{talk}/chat", data=data, **kwargs).status_code == 200


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"message": None},
        {"message": ""},
        {"message": " \n"},
        {"message": "\u0000"},
        {"conversation_history": []},
    ],
)
def test_a_question_is_required(alice: Person, talk: int, writer: FakeWriter, body: dict[str, Any]) -> None:
    answer = alice.post(f"/api/v1/recordings/{talk}/chat", json=body)
    assert (answer.status_code, answer.json["error"]) == (400, "message is required")
    assert "message" in answer.json["errors"]
    assert writer.questions == []


@pytest.mark.on_sqlite
def test_no_body_at_all(alice: Person, talk: int) -> None:
    answer = alice.post(f"/api/v1/recordings/{talk}/chat")
    assert (answer.status_code, answer.json["error"]) == (400, "message is required")


TURN = {"role": "user", "content": "x"}


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"message": 5}, "message"),
        ({"message": ["a"]}, "message"),
        ({"message": {"text": "a"}}, "message"),
        ({"message": True}, "message"),
        ({"message": "x" * 20_001}, "message"),
        ({"message": "x" * 1_000_000}, "message"),
        ({"message": "a", "conversation_history": "b"}, "conversation_history"),
        ({"message": "a", "conversation_history": {"role": "user"}}, "conversation_history"),
        ({"message": "a", "conversation_history": 1}, "conversation_history"),
        ({"message": "a", "conversation_history": ["b"]}, "conversation_history.0"),
        ({"message": "a", "conversation_history": [None]}, "conversation_history.0"),
        ({"message": "a", "conversation_history": [[]]}, "conversation_history.0"),
        ({"message": "a", "conversation_history": [{}]}, "conversation_history.0.role"),
        (
            {"message": "a", "conversation_history": [TURN, {"role": "user"}]},
            "conversation_history.1.content",
        ),
        (
            {"message": "a", "conversation_history": [{"role": "system", "content": "b"}]},
            "conversation_history.0.role",
        ),
        (
            {"message": "a", "conversation_history": [{"role": ["user"], "content": "b"}]},
            "conversation_history.0.role",
        ),
        (
            {"message": "a", "conversation_history": [{"role": "user", "content": 5}]},
            "conversation_history.0.content",
        ),
        (
            {"message": "a", "conversation_history": [{"role": "user", "content": "x" * 1_000_000}]},
            "conversation_history.0.content",
        ),
        ({"message": "a", "conversation_history": [TURN] * 101}, "conversation_history"),
    ],
)
def test_bad_bodies_are_reported_by_field(
    alice: Person, talk: int, writer: FakeWriter, body: dict[str, Any], field: str
) -> None:
    answer = alice.post(f"/api/v1/recordings/{talk}/chat", json=body)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid")
    assert field in answer.json["errors"]
    assert len(answer.data) < 2000
    assert writer.questions == []


@pytest.mark.on_sqlite
@pytest.mark.parametrize("data", [b"[]", b'"a"', b"5", b"null", b"{", b'{"message": "\\ud800"}', b"\xff\xfe"])
def test_bodies_of_another_shape(alice: Person, talk: int, data: bytes) -> None:
    answer = alice.post(f"/api/v1/recordings/{talk}/chat", data=data, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json["code"] in {"invalid", "bad_request"}


def test_the_longest_conversation_that_is_taken(alice: Person, talk: int, writer: FakeWriter) -> None:
    answer = post(alice, talk, "chat", message="x" * 20_000, conversation_history=[TURN] * 100)
    assert answer.status_code == 200
    assert len(writer.questions[0].history) == 100


def test_what_no_database_can_hold_is_dropped(alice: Person, talk: int, writer: FakeWriter) -> None:
    assert post(alice, talk, "chat", message="Wh\u0000at?").status_code == 200
    assert writer.questions[0].question == "What?"


def test_answers_are_in_the_language_the_asker_prefers(alice: Person, talk: int, writer: FakeWriter) -> None:
    from speakr.models import User

    with unit_of_work():
        db.session.get_one(User, alice.id).preferences = {"output_language": "de"}
    post(alice, talk, "chat")
    assert writer.questions[0].language == "de"


def test_no_transaction_is_open_while_the_model_thinks(alice: Person, talk: int, writer: FakeWriter) -> None:
    seen = []
    writer.before = lambda _: seen.append(db.session().in_transaction())
    writer.before_title = writer.before
    for route in ROUTES:
        assert post(alice, talk, route).status_code == 200
    assert seen == [False] * 3
