"""Titles and names on request, and what all uses of the language model share."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from speakr import offload
from speakr.connectors.language.embedded import EmbeddedLanguageConnector
from speakr.db import db, unit_of_work
from speakr.domain.errors import ConnectorRejected, ConnectorUnavailable, TransientJobError
from speakr.domain.statements import Usage
from speakr.models import RecordingShare
from tests.api.talk import ROUTES, TALK, post, tokens_of, with_transcript
from tests.conftest import Person
from tests.fakes import FakeWriter


@pytest.fixture
def talk(alice: Person, upload) -> int:
    """A recording of alice's with a transcript."""
    return with_transcript(upload(alice, title="Talk").json["id"], TALK)


# -- all three


@pytest.mark.parametrize("route", ROUTES)
def test_other_peoples_recordings_do_not_exist(
    alice: Person, bob: Person, talk: int, writer: FakeWriter, route: str
) -> None:
    answer = post(bob, talk, route)
    assert (answer.status_code, answer.json["error"]) == (404, "Recording not found")
    assert post(bob, talk + 1000, route).json["error"] == answer.json["error"]
    assert writer.questions == writer.identifications == []
    assert tokens_of(bob) == 0


def test_whom_a_recording_is_shown_may_ask_but_not_change(
    alice: Person, bob: Person, talk: int, writer: FakeWriter
) -> None:
    assert alice.patch(f"/api/v1/recordings/{talk}", json={"notes": "a secret"}).status_code == 200
    with unit_of_work():
        db.session.add(RecordingShare(recording_id=talk, user_id=bob.id))
    for person in (alice, bob):
        assert post(person, talk, "chat").status_code == 200
    assert ["a secret" in (question.notes or "") for question in writer.questions] == [True, False]
    assert (tokens_of(alice), tokens_of(bob)) == (23, 23)
    for route in ("regenerate_title", "speakers/identify"):
        assert post(bob, talk, route).status_code == 403
    with unit_of_work():
        db.session.scalars(select(RecordingShare)).one().can_edit = True
    for route in ("regenerate_title", "speakers/identify"):
        assert post(bob, talk, route).status_code == 200


@pytest.mark.parametrize("route", ROUTES)
def test_the_token_needs_the_scope(talk: int, make_person: Callable[..., Person], route: str) -> None:
    from speakr.domain.permissions import Scope

    reader = make_person("reader", scopes=frozenset({Scope.READ, Scope.WRITE}))
    assert post(reader, talk, route).json["code"] == "scope_missing"


@pytest.mark.parametrize("route", ROUTES)
def test_nothing_can_be_said_without_a_transcript(alice: Person, upload, route: str) -> None:
    answer = post(alice, upload(alice).json["id"], route)
    assert (answer.status_code, answer.json["error"], answer.json["code"]) == (
        400,
        "No transcription available",
        "no_transcription",
    )


FAILURES = [
    (ConnectorUnavailable("provider host 10.0.0.7 is down", retry_after_seconds=12), "12"),
    (ConnectorUnavailable("slow"), "30"),
    (ConnectorUnavailable("eager", retry_after_seconds=0.0), "30"),
    (ConnectorUnavailable("shy", retry_after_seconds=0.2), "1"),
    (ConnectorUnavailable("gone", retry_after_seconds=1e9), "3600"),
    (TransientJobError("something else that passes"), "30"),
    (ConnectorRejected("bad key sk-secret"), "30"),
]


@pytest.mark.on_sqlite
@pytest.mark.parametrize(("error", "retry_after"), FAILURES)
@pytest.mark.parametrize(
    ("route", "sentence"),
    [
        ("chat", "Chat service not available"),
        ("regenerate_title", "Title service not available"),
        ("speakers/identify", "Speaker identification not available"),
    ],
)
def test_a_provider_that_fails_is_a_503(
    alice: Person,
    talk: int,
    writer: FakeWriter,
    route: str,
    sentence: str,
    error: Exception,
    retry_after: str,
) -> None:
    def fail(_request: object) -> None:
        raise error

    writer.before = writer.before_title = fail
    answer = post(alice, talk, route)
    assert (answer.status_code, answer.json["error"]) == (503, sentence)
    assert answer.json["code"] == "language_model_unavailable"
    assert answer.headers["Retry-After"] == retry_after
    assert str(error) not in answer.get_data(as_text=True)
    assert tokens_of(alice) == 0
    writer.before = writer.before_title = None
    assert post(alice, talk, route).status_code == 200


@pytest.mark.parametrize("route", ROUTES)
def test_what_is_sent_twice_with_one_key_costs_once(
    alice: Person, talk: int, writer: FakeWriter, route: str
) -> None:
    writer.title_usage = Usage(4, 1)
    path = f"/api/v1/recordings/{talk}/{route}"
    first, second = (
        alice.post(path, json={"message": "What?"}, headers={"Idempotency-Key": "k"}) for _ in range(2)
    )
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json == second.json
    assert tokens_of(alice) == {"chat": 23, "regenerate_title": 5, "speakers/identify": 10}[route]


def test_the_engine_is_made_once_per_process(alice: Person, talk: int, app, backends, monkeypatch) -> None:
    made = []

    def make() -> FakeWriter:
        made.append(FakeWriter())
        return made[-1]

    from dataclasses import replace

    from speakr import backends as plumbing

    plumbing.set_backends(replace(backends, make_writer=make))
    for route in (*ROUTES, *ROUTES):
        assert post(alice, talk, route).status_code == 200
    assert len(made) == 1


class Loop:
    """Stands for gevent's hub, and records what its pool received."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ran: list[str] = []
        self.threadpool = self
        monkeypatch.setattr(offload, "_hub", lambda: self)
        monkeypatch.setattr(offload, "_cpu_pool", lambda hub: hub)

    def apply(self, work: Callable[[], Any]) -> Any:
        result, error = work()
        self.ran.append(type(result).__name__)
        return result, error


@pytest.mark.parametrize("kind", ["computes", "asks a provider"])
def test_an_engine_that_computes_does_not_stop_the_loop(
    alice: Person, talk: int, writer: FakeWriter, monkeypatch, kind: str
) -> None:
    monkeypatch.setattr(writer, "is_extractive", kind == "computes")
    loop = Loop(monkeypatch)
    for route in ROUTES:
        assert post(alice, talk, route).status_code == 200
    answers = [name for name in loop.ran if name in {"ChatAnswer", "Title", "Identification"}]
    assert answers == (["ChatAnswer", "Title", "Identification"] if writer.is_extractive else [])


# -- titles


def test_a_new_title_is_stored_and_sent_as_an_event(alice: Person, talk: int, writer: FakeWriter) -> None:
    hook = alice.post(
        "/api/v1/webhooks",
        json={"name": "h", "url": "https://93.184.216.34/hook", "events": ["recording.updated"]},
    )
    assert hook.status_code == 201, hook.json
    writer.title_usage = Usage(4, 1)
    answer = alice.post(f"/api/v1/recordings/{talk}/regenerate_title")
    assert answer.status_code == 200, answer.json
    assert answer.json == {
        "success": True,
        "title": "A written title",
        "recording": {"id": talk, "title": "A written title", "participants": None, "status": "PENDING"},
    }
    assert alice.get(f"/api/v1/recordings/{talk}").json["title"] == "A written title"
    assert tokens_of(alice) == 5
    assert [body["data"] for body in title_events()] == [
        {"recording_id": talk, "title": "A written title", "fields_changed": ["title"]}
    ]
    # The same title again is no change.
    assert alice.post(f"/api/v1/recordings/{talk}/regenerate_title").json["title"] == "A written title"
    assert len(title_events()) == 1
    assert tokens_of(alice) == 10


def title_events() -> list[dict[str, Any]]:
    from speakr.models import Delivery

    db.session.rollback()
    return [json.loads(body) for body in db.session.scalars(select(Delivery.body))]


def test_an_engine_without_an_idea_leaves_the_title(alice: Person, talk: int, writer: FakeWriter) -> None:
    writer.title = ""
    assert alice.post(f"/api/v1/recordings/{talk}/regenerate_title").json["title"] == "Talk"


def test_a_title_typed_meanwhile_stays(alice: Person, talk: int, writer: FakeWriter) -> None:
    def type_a_title(_request: object) -> None:
        assert alice.patch(f"/api/v1/recordings/{talk}", json={"title": "Mine"}).status_code == 200

    writer.before_title, writer.title_usage = type_a_title, Usage(4, 1)
    answer = alice.post(f"/api/v1/recordings/{talk}/regenerate_title")
    assert (answer.status_code, answer.json["code"]) == (409, "conflict")
    assert alice.get(f"/api/v1/recordings/{talk}").json["title"] == "Mine"
    assert tokens_of(alice) == 5


def test_a_recording_deleted_meanwhile(alice: Person, talk: int, writer: FakeWriter) -> None:
    def delete(_request: object) -> None:
        assert alice.delete(f"/api/v1/recordings/{talk}").status_code == 200

    writer.before_title = delete
    assert alice.post(f"/api/v1/recordings/{talk}/regenerate_title").status_code == 404
    assert alice.post(f"/api/v1/recordings/{talk}/chat", json={"message": "a"}).status_code == 404


def test_silence_has_no_title(alice: Person, upload) -> None:
    silent = with_transcript(upload(alice).json["id"], [("SPEAKER_00", " ")])
    answer = alice.post(f"/api/v1/recordings/{silent}/regenerate_title")
    assert (answer.status_code, answer.json["code"]) == (400, "no_transcription")


# -- names of speakers


def test_names_are_suggested_and_nothing_is_changed(alice: Person, talk: int, writer: FakeWriter) -> None:
    writer.names = {"SPEAKER_01": "Bob", "SPEAKER_07": "Eve"}
    before = alice.get(f"/api/v1/recordings/{talk}").json
    answer = alice.post(f"/api/v1/recordings/{talk}/speakers/identify")
    assert answer.json == {"success": True, "speaker_map": {"SPEAKER_00": "", "SPEAKER_01": "Bob"}}
    after = alice.get(f"/api/v1/recordings/{talk}").json
    assert after == before
    assert tokens_of(alice) == 10


def test_people_one_knows_help(alice: Person, bob: Person, talk: int, writer: FakeWriter) -> None:
    from speakr.domain.clock import now
    from speakr.models import Speaker

    with unit_of_work():
        db.session.add_all(
            [
                Speaker(user_id=alice.id, name="Bob Miller"),
                Speaker(user_id=alice.id, name="Carol", last_used_at=now()),
                Speaker(user_id=bob.id, name="Mallory", last_used_at=now()),
            ]
        )
    assert alice.patch(f"/api/v1/recordings/{talk}", json={"participants": " Dora ,"}).status_code == 200
    alice.post(f"/api/v1/recordings/{talk}/speakers/identify")
    (request,) = writer.identifications
    assert request.labels == ["SPEAKER_00", "SPEAKER_01"]
    assert request.known_names == ["Dora", "Carol", "Bob Miller"]


def test_the_embedded_engine_names_speakers_through_the_api(
    alice: Person, talk: int, writer: FakeWriter, monkeypatch
) -> None:
    monkeypatch.setattr(writer, "identify_speakers", EmbeddedLanguageConnector().identify_speakers)
    answer = alice.post(f"/api/v1/recordings/{talk}/speakers/identify")
    assert answer.json["speaker_map"] == {"SPEAKER_00": "Alice", "SPEAKER_01": "Bob"}


def test_a_transcript_without_speakers(alice: Person, upload) -> None:
    nameless = with_transcript(upload(alice).json["id"], [("", "Hello.")])
    answer = alice.post(f"/api/v1/recordings/{nameless}/speakers/identify")
    assert (answer.status_code, answer.json["code"]) == (400, "no_speakers")
