"""Sessions: which recordings they are, their pages, and the format of each failure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from speakr.domain.clock import now
from speakr.domain.permissions import Scope
from speakr.domain.recordings import RecordingStatus
from speakr.services.recordings import flat
from speakr.settings import Settings
from tests.api.library import share, write
from tests.compat.audioscribe.matrix import PREFIX, wrong_shape
from tests.conftest import Person

SESSIONS = f"{PREFIX}/sessions/"
KEYS = ["id", "title", "note", "originalTranscript", "tags", "createdAt"]


def add(person: Person, *said: str, **values: Any) -> int:
    return write(person, *said, **{"status": RecordingStatus.COMPLETED, **values})


def test_a_session_has_the_six_keys_and_nothing_else(alice: Person) -> None:
    number = add(alice, "Good morning.", "We begin.", title="Stand-up")
    (session,) = alice.get(SESSIONS).json
    assert list(session) == KEYS
    assert (session["id"], session["title"], session["tags"]) == (number, "Stand-up", "")
    assert session["note"] == session["originalTranscript"] == "Good morning. We begin."
    assert datetime.fromisoformat(session["createdAt"]).utcoffset() == timedelta(0)
    assert alice.get(f"{SESSIONS}{number}/").json == session


def test_tags_are_one_text(alice: Person) -> None:
    number = add(alice, "Hello.")
    ids = [alice.post("/api/v1/tags", json={"name": name}).json["id"] for name in ("work", "weekly")]
    alice.post(f"/api/v1/recordings/{number}/tags", json={"tag_ids": ids})
    assert alice.get(f"{SESSIONS}{number}/").json["tags"] == "work,weekly"


def test_an_edit_changes_the_note_only(alice: Person) -> None:
    number = add(alice, "Good mourning.")
    other = add(alice, "Another.")
    path = f"/api/v1/recordings/{number}/transcript"
    assert alice.put(path, json={"text": "Good morning."}).status_code == 200
    session = alice.get(f"{SESSIONS}{number}/").json
    assert (session["note"], session["originalTranscript"]) == ("Good morning.", "Good mourning.")
    texts = {each["id"]: (each["note"], each["originalTranscript"]) for each in alice.get(SESSIONS).json}
    assert texts == {number: ("Good morning.", "Good mourning."), other: ("Another.", "Another.")}


def test_pages_count_from_zero_and_do_not_overlap(alice: Person) -> None:
    start = now()
    numbers = [
        add(alice, f"Number {step}.", created_at=start + timedelta(seconds=step // 2)) for step in range(45)
    ]
    pages = [[each["id"] for each in alice.get(f"{SESSIONS}?page={page}").json] for page in range(4)]
    assert [len(page) for page in pages] == [20, 20, 5, 0]
    assert [number for page in pages for number in page] == numbers[::-1], "newest first"
    assert [each["id"] for each in alice.get(SESSIONS).json] == pages[0]


@pytest.mark.parametrize("page", ["9999", "2147483647", "9" * 30, "107374183", "461168601842738791"])
def test_a_page_after_the_end_is_empty(alice: Person, page: str) -> None:
    add(alice, "Hello.")
    answer = alice.get(f"{SESSIONS}?page={page}")
    assert (answer.status_code, answer.json) == (200, [])


@pytest.mark.on_sqlite
@pytest.mark.parametrize("page", ["abc", "-1", "1.5", "1e3", "\u0661", "0x1", "+1", "1 2", "None"])
def test_a_page_that_is_no_number_is_refused(alice: Person, page: str) -> None:
    answer = alice.get(SESSIONS, query_string={"page": page})
    assert answer.status_code == 400
    assert wrong_shape(answer) == []


@pytest.mark.parametrize("status", list(RecordingStatus))
def test_only_finished_recordings_are_sessions(alice: Person, status: RecordingStatus) -> None:
    number = add(alice, "Hello.", status=status)
    is_shown = status in {RecordingStatus.COMPLETED, RecordingStatus.SUMMARIZING}
    assert [each["id"] for each in alice.get(SESSIONS).json] == [number] * is_shown
    assert alice.get(f"{SESSIONS}{number}/").status_code == (200 if is_shown else 404)


def test_sessions_of_others_do_not_exist(alice: Person, bob: Person) -> None:
    number = add(alice, "Hello.")
    share(number, bob)
    assert bob.get(f"/api/v1/recordings/{number}").status_code == 200, "it is shared"
    assert bob.get(SESSIONS).json == []
    of_alice, of_none = (bob.get(f"{SESSIONS}{each}/") for each in (number, number + 1000))
    assert of_alice.status_code == of_none.status_code == 404
    assert of_alice.data == of_none.data


def test_the_number_of_statements_does_not_grow_with_the_page(
    alice: Person, count_statements: Callable[[], Any]
) -> None:
    add(alice, "Hello.")
    alice.get(SESSIONS)
    counts = []
    for _ in range(2):
        with count_statements() as counted:
            assert alice.get(SESSIONS).status_code == 200
        counts.append(counted.number)
        for number in range(15):
            add(alice, f"Number {number}.")
    assert counts[0] == counts[1]


def test_a_recording_without_speech_has_empty_texts(alice: Person) -> None:
    number = add(alice, has_transcription=False, transcription_engine="fake")
    session = alice.get(f"{SESSIONS}{number}/").json
    assert (session["note"], session["originalTranscript"]) == ("", "")


@pytest.mark.on_sqlite
def test_paths_with_and_without_the_slash_and_under_the_older_name(alice: Person) -> None:
    number = add(alice, "Hello.")
    for rest in ("", f"/{number}"):
        answers = [
            alice.get(f"{PREFIX}/{name}{rest}{slash}")
            for name in ("sessions", "notes")
            for slash in ("", "/")
        ]
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.data for answer in answers}) == 1


FAILURES: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "no token": ("GET", SESSIONS, {"headers": {}}, 401),
    "a wrong token": ("GET", SESSIONS, {"headers": {"Authorization": "Bearer wrong"}}, 401),
    "an unknown id": ("GET", f"{SESSIONS}999999/", {}, 404),
    "an id that is no number": ("GET", f"{SESSIONS}abc/", {}, 404),
    "a negative id": ("GET", f"{SESSIONS}-1/", {}, 404),
    "an id of another script": ("GET", f"{SESSIONS}\u0661/", {}, 404),
    "a huge id": ("GET", f"{SESSIONS}{10**30}/", {}, 404),
    "no route": ("GET", f"{PREFIX}/nothing/", {}, 404),
    "no route, without a token": ("GET", f"{PREFIX}/nothing/", {"headers": {}}, 404),
    "the prefix itself": ("GET", PREFIX, {}, 404),
    "another method": ("DELETE", SESSIONS, {}, 405),
    "a body to another method": ("POST", SESSIONS, {"json": {"title": "New"}}, 405),
    "a wrong page": ("GET", f"{SESSIONS}?page=x", {}, 400),
    "an address with two slashes": ("GET", f"{PREFIX}//sessions/", {}, 404),
}


@pytest.mark.on_sqlite
@pytest.mark.parametrize("name", FAILURES)
def test_each_failure_is_an_object_with_a_detail(app: Flask, alice: Person, name: str) -> None:
    method, path, sent, status = FAILURES[name]
    headers = {"Authorization": f"Bearer {alice.token}", "X-Request-ID": "mine"}
    sent = {**sent, "headers": {**sent.get("headers", headers), "X-Request-ID": "mine"}}
    answer = app.test_client().open(path, method=method, **sent)
    assert answer.status_code == status
    assert wrong_shape(answer) == []
    assert answer.headers["X-Request-ID"] == "mine"
    assert float(answer.headers["X-Process-Time-Ms"]) >= 0
    assert ("Allow" in answer.headers) is (status == 405)
    assert ("WWW-Authenticate" in answer.headers) is (status == 401)


@pytest.mark.on_sqlite
def test_an_unexpected_failure_shows_nothing(
    app: Flask, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("/srv/secret/path")

    monkeypatch.setattr(flat, "list_page", fail)
    answer = alice.get(SESSIONS)
    assert answer.status_code == 500
    assert wrong_shape(answer) == []
    assert b"secret" not in answer.data


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    ("status", "code"), [(413, "too_large"), (415, "unsupported_media_type"), (422, "x")]
)
def test_failures_that_no_request_reaches_have_the_format_too(app: Flask, status: int, code: str) -> None:
    """No route here reads a body, so its failures are rendered directly."""
    from speakr.compat.audioscribe.family import render
    from speakr.web.failures import Failure

    with app.test_request_context(SESSIONS):
        answer = render(Failure(status=status, code=code, message="It is so.", errors={"a": ["b"]}))
    assert (answer.status_code, answer.get_json()) == (status, {"detail": "It is so."})


@pytest.mark.on_sqlite
def test_a_token_without_the_scope_is_refused(make_person: Callable[..., Person]) -> None:
    writer = make_person("writer", scopes=frozenset({Scope.WRITE}))
    answer = writer.get(SESSIONS)
    assert answer.status_code == 403
    assert wrong_shape(answer) == []


class TestRates:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, rate_limits_enabled=True, rate_limit_get=2)

    @pytest.mark.on_sqlite
    def test_too_many_requests_are_refused_in_the_format(self, alice: Person) -> None:
        answers = [alice.get(SESSIONS) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert wrong_shape(answers[2]) == []
        assert int(answers[2].headers["Retry-After"]) >= 1


@pytest.mark.on_sqlite
def test_the_document_describes_each_route(app: Flask, alice: Person) -> None:
    from openapi_spec_validator import validate

    document = app.test_client().get(f"{PREFIX}/openapi.json").json
    validate(document)
    assert set(document["paths"]) == {"/sessions/", "/sessions/{id}/", "/notes/", "/notes/{id}/"}
    shape = document["components"]["schemas"]["Session"]
    assert list(shape["properties"]) == KEYS == shape["required"]


def test_a_deleted_recording_is_gone(alice: Person) -> None:
    number = add(alice, "Hello.")
    assert alice.delete(f"/api/v1/recordings/{number}").status_code == 200
    assert alice.get(SESSIONS).json == []
