"""ETags: no body is sent twice, and no change is lost to a user who had not read it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from speakr.db import release
from tests.conftest import Person


@pytest.fixture
def made(alice: Person, upload: Callable[..., Any]) -> int:
    return upload(alice, notes="first", title="Meeting").json["id"]


def tag(person: Person, path: str) -> str:
    return person.get(path).headers["ETag"]


READABLE = [
    "/api/v1/recordings",
    "/api/v1/recordings/{id}",
    "/api/v1/recordings/{id}?format=minimal",
    "/api/v1/recordings/{id}/status",
    "/api/v1/recordings/{id}/notes",
    "/api/v1/recordings/{id}/summary",
    "/api/v1/jobs",
    "/api/v1/users/me",
    "/api/v1/tokens",
    "/api/v1/webhooks",
]


@pytest.mark.parametrize("path", READABLE)
def test_what_the_caller_has_is_not_sent_again(alice: Person, made: int, path: str) -> None:
    path = path.format(id=made)
    first = alice.get(path)
    assert first.headers["ETag"].startswith('"')
    assert first.headers["Cache-Control"] == "private, no-cache"
    second = alice.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (second.status_code, second.data) == (304, b"")
    assert second.headers["ETag"] == first.headers["ETag"]
    assert second.headers["Cache-Control"] == "private, no-cache"
    assert "Content-Type" not in second.headers
    assert "Content-Length" not in second.headers
    assert second.headers["X-Request-ID"]
    assert second.headers.get("Link") == first.headers.get("Link")


def test_if_none_match_takes_lists_weak_tags_and_any(alice: Person, made: int) -> None:
    path = f"/api/v1/recordings/{made}"
    current = tag(alice, path)
    for condition in (f'"other", {current}', f"W/{current}", f'W/"other" , W/{current}', "*"):
        assert alice.get(path, headers={"If-None-Match": condition}).status_code == 304, condition
    for condition in ('"other"', 'W/"other", "more"', "", current.strip('"')[:-1]):
        assert alice.get(path, headers={"If-None-Match": condition}).status_code == 200, condition


def test_a_change_changes_the_tags(alice: Person, made: int) -> None:
    paths = [f"/api/v1/recordings/{made}", "/api/v1/recordings"]
    before = {path: tag(alice, path) for path in paths}
    alice.patch(f"/api/v1/recordings/{made}", json={"title": "Renamed"})
    for path in paths:
        answer = alice.get(path, headers={"If-None-Match": before[path]})
        assert (answer.status_code, answer.headers["ETag"] != before[path]) == (200, True)


def test_a_tag_of_one_user_is_no_tag_of_another(alice: Person, bob: Person, made: int) -> None:
    answer = bob.get("/api/v1/recordings", headers={"If-None-Match": tag(alice, "/api/v1/recordings")})
    assert answer.status_code == 200
    hidden = bob.get(f"/api/v1/recordings/{made}", headers={"If-None-Match": "*"})
    assert hidden.status_code == 404


def test_head_has_the_tag_of_get(alice: Person, made: int) -> None:
    path = f"/api/v1/recordings/{made}"
    assert alice.head(path).headers["ETag"] == tag(alice, path)
    assert alice.head(path, headers={"If-None-Match": tag(alice, path)}).status_code == 304


def test_failures_and_writes_have_no_tag_and_are_not_cached(alice: Person, made: int) -> None:
    for answer in (
        alice.get("/api/v1/recordings/999"),
        alice.patch(f"/api/v1/recordings/{made}", json={"title": 5}),
        alice.post("/api/v1/tokens", json={}),
    ):
        assert "ETag" not in answer.headers
        assert answer.headers["Cache-Control"] == "private, no-cache"


def test_streams_and_files_are_left_alone(alice: Person, made: int) -> None:
    audio = alice.get(f"/api/v1/recordings/{made}/audio")
    assert audio.headers["ETag"].startswith(f'"{made}-')
    stream = alice.client.get(
        f"/api/v1/recordings/{made}/live", headers={"Authorization": f"Bearer {alice.token}"}
    )
    assert stream.headers["Cache-Control"] == "no-cache"
    assert "ETag" not in stream.headers
    stream.close()


# -- If-Match


@pytest.mark.parametrize("name", ["notes", "summary"])
def test_a_write_happens_to_the_version_that_was_read(alice: Person, made: int, name: str) -> None:
    path = f"/api/v1/recordings/{made}/{name}"
    read = tag(alice, path)
    saved = alice.put(path, json={name: "mine"}, headers={"If-Match": read})
    assert saved.status_code == 200
    assert saved.headers["ETag"] == tag(alice, path) != read
    late = alice.put(path, json={name: "theirs"}, headers={"If-Match": read})
    assert (late.status_code, late.json["code"]) == (412, "precondition_failed")
    assert alice.get(path).json[name] == "mine"
    again = alice.put(path, json={name: "both"}, headers={"If-Match": saved.headers["ETag"]})
    assert again.status_code == 200


def test_a_change_of_fields_takes_the_tag_of_the_whole(alice: Person, made: int) -> None:
    path = f"/api/v1/recordings/{made}"
    read = tag(alice, path)
    alice.put(f"{path}/notes", json={"notes": "elsewhere"})
    late = alice.patch(path, json={"title": "x"}, headers={"If-Match": read})
    assert late.status_code == 412
    changed = alice.patch(path, json={"title": "x"}, headers={"If-Match": tag(alice, path)})
    assert changed.status_code == 200
    assert changed.headers["ETag"] == tag(alice, path)
    minimal = f"{path}?format=minimal"
    short = alice.patch(minimal, json={"title": "y"}, headers={"If-Match": tag(alice, minimal)})
    assert short.status_code == 200


def test_a_change_without_a_condition_returns_the_new_tag_too(alice: Person, made: int) -> None:
    path = f"/api/v1/recordings/{made}"
    changed = alice.patch(path, json={"title": "x"})
    assert (changed.status_code, changed.headers["ETag"]) == (200, tag(alice, path))
    again = alice.patch(path, json={"title": "y"}, headers={"If-Match": changed.headers["ETag"]})
    assert again.status_code == 200


def test_without_a_condition_the_last_one_wins_as_ever(alice: Person, made: int) -> None:
    path = f"/api/v1/recordings/{made}/notes"
    for text in ("a", "b"):
        answer = alice.put(path, json={"notes": text})
        assert (answer.status_code, answer.headers["ETag"]) == (200, tag(alice, path))


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("*", 200),
        ('"other", {tag}', 200),
        ("{tag},", 200),
        ("W/{tag}", 412),
        ('"other"', 412),
        ("", 412),
        ("nonsense", 412),
    ],
)
def test_conditions(alice: Person, made: int, condition: str, status: int) -> None:
    path = f"/api/v1/recordings/{made}/notes"
    answer = alice.put(
        path, json={"notes": "x"}, headers={"If-Match": condition.format(tag=tag(alice, path))}
    )
    assert answer.status_code == status


def test_what_is_not_there_is_not_found_whatever_the_condition(bob: Person, made: int) -> None:
    answer = bob.put(f"/api/v1/recordings/{made}/notes", json={"notes": "x"}, headers={"If-Match": "*"})
    assert answer.status_code == 404


def test_a_refused_write_sends_no_event(alice: Person, made: int, notifier) -> None:
    from sqlalchemy import func, select

    from speakr.db import db
    from speakr.models import Event

    def events() -> int:
        release()
        return db.session.scalar(select(func.count()).select_from(Event)) or 0

    before = events()
    path = f"/api/v1/recordings/{made}/notes"
    assert alice.put(path, json={"notes": "x"}, headers={"If-Match": '"old"'}).status_code == 412
    assert events() == before
    assert alice.put(path, json={"notes": 5}, headers={"If-Match": tag(alice, path)}).status_code == 400
    assert alice.get(path).json["notes"] == "first"


def test_of_many_at_once_with_one_tag_exactly_one_wins(app: Flask, alice: Person, made: int) -> None:
    path = f"/api/v1/recordings/{made}/notes"
    headers = {"Authorization": f"Bearer {alice.token}", "If-Match": tag(alice, path)}
    release()
    answers: dict[int, int] = {}
    ready = threading.Barrier(8)

    def append(number: int) -> None:
        client = app.test_client()
        ready.wait()
        answer = client.put(path, json={"notes": f"first, and {number}"}, headers=headers)
        answers[number] = answer.status_code

    threads = [threading.Thread(target=append, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers.values()) == [200] + [412] * 7
    (winner,) = [number for number, status in answers.items() if status == 200]
    assert alice.get(path).json["notes"] == f"first, and {winner}"
