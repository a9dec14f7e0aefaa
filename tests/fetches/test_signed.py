"""Signed uploads: one PUT with no credential but its address, on both databases."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from sqlalchemy import select, update

from speakr import backends as plumbing
from speakr.backends import Backends, get_backends
from speakr.db import db, release, unit_of_work
from speakr.domain.clock import now
from speakr.models import Recording, UnwantedBlob, Upload, User
from speakr.services.accounts import signed_urls
from speakr.services.recordings import intake, signed_uploads
from speakr.settings import Settings
from tests.conftest import Person
from tests.fetches.conftest import AUDIO, looked_at, recordings_of
from tests.storage.conftest import s3_client, s3_storage, s3_url

__all__ = ["s3_client", "s3_storage", "s3_url"]

SIGNED = "/api/v1/uploads/signed"
Put = Callable[..., Any]


@pytest.fixture
def put(app: Flask) -> Put:
    """PUT to a signed address as a client that has nothing else."""

    def send(url: str, data: Any = AUDIO, content_type: str | None = "audio/wav", **headers: str) -> Any:
        parts = urlsplit(url)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return app.test_client().put(
            f"{parts.path}?{parts.query}", data=data, content_type=content_type, headers=named, buffered=True
        )

    return send


def signed(person: Person, **fields: Any) -> dict[str, Any]:
    answer = person.post(SIGNED, json={"filename": "talk.wav", **fields})
    assert answer.status_code == 201, answer.json
    found: dict[str, Any] = answer.json
    return found


def blob_keys() -> set[str]:
    return {key for key, _ in get_backends().storage.keys("audio")}


def test_one_put_makes_the_recording(alice: Person, put: Put) -> None:
    made = signed(
        alice,
        title="A talk",
        content_type="audio/wav; codecs=1",
        size=len(AUDIO),
        language="de",
        expires_in=60,
    )
    assert (made["method"], made["headers"]) == ("PUT", {"Content-Type": "audio/wav"})
    assert looked_at(alice, made["upload_id"])["state"] == "waiting"
    answer = put(made["url"])
    assert answer.status_code == 202, answer.json
    (recording,) = recordings_of(alice)
    assert (answer.json["id"], answer.json["title"]) == (recording["id"], "A talk")
    row = db.session.get_one(Recording, recording["id"])
    assert (row.sha256, row.hints["language"]) == (hashlib.sha256(AUDIO).hexdigest(), "de")
    found = looked_at(alice, made["upload_id"])
    assert (found["state"], found["recording_id"], found["error"]) == ("completed", recording["id"], None)
    assert (found["size_bytes"], found["received_bytes"]) == (len(AUDIO), len(AUDIO))
    assert blob_keys() == {row.storage_key}


def test_a_second_put_is_refused(alice: Person, put: Put) -> None:
    made = signed(alice)
    first = put(made["url"]).json["id"]
    again = put(made["url"])
    assert (again.status_code, again.json["code"], again.json["recording_id"]) == (
        409,
        "upload_finished",
        first,
    )
    assert len(recordings_of(alice)) == 1


def test_the_same_bytes_are_noticed(alice: Person, put: Put) -> None:
    first = put(signed(alice)["url"]).json
    assert "duplicate_warning" not in first
    second = put(signed(alice)["url"]).json
    assert second["duplicate_warning"]["existing_recording_id"] == first["id"]


def test_the_address_opens_nothing_else(app: Flask, alice: Person, bob: Person, put: Put) -> None:
    made, other = signed(alice), signed(bob)
    parts = urlsplit(made["url"])
    client = app.test_client()
    assert client.get(f"{parts.path}?{parts.query}").status_code in {401, 405}
    assert client.get(f"/api/v1/recordings?{parts.query}").status_code == 401
    assert client.get(f"/api/v1/uploads/{made['upload_id']}?{parts.query}").status_code == 401
    assert client.delete(f"/api/v1/uploads/{made['upload_id']}?{parts.query}").status_code == 401
    mixed = put(f"{urlsplit(other['url']).path}?{parts.query}")
    assert (mixed.status_code, mixed.json["code"]) == (401, "invalid_token")
    assert put(made["url"] + "0").status_code == 401
    assert put(made["url"] + "&more=1").status_code == 401
    assert put(parts.path).status_code == 401
    assert recordings_of(alice) == []


def test_an_expired_address_is_refused(alice: Person, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    made = signed(alice, expires_in=60)
    later = now() + timedelta(seconds=61)
    monkeypatch.setattr(signed_urls, "now", lambda: later)
    answer = put(made["url"])
    assert (answer.status_code, answer.json["code"]) == (401, "expired_token")


def test_an_address_of_a_disabled_user_is_refused(alice: Person, put: Put) -> None:
    made = signed(alice)
    with unit_of_work() as session:
        session.get_one(User, alice.id).is_active = False
    assert put(made["url"]).status_code == 401


def test_a_deleted_upload_takes_no_file(alice: Person, put: Put) -> None:
    made = signed(alice)
    assert alice.delete(f"/api/v1/uploads/{made['upload_id']}").status_code == 204
    assert put(made["url"]).status_code == 404
    assert blob_keys() == set()


def test_what_fails_can_be_sent_again(alice: Person, put: Put) -> None:
    made = signed(alice)
    bad = put(made["url"], b"no audio at all")
    assert (bad.status_code, bad.json["code"]) == (400, "not_media")
    found = looked_at(alice, made["upload_id"])
    assert (found["state"], found["error"]["code"]) == ("waiting", "not_media")
    assert blob_keys() == set()
    assert db.session.scalars(select(UnwantedBlob)).all() == []
    assert put(made["url"]).status_code == 202
    assert looked_at(alice, made["upload_id"])["error"] is None


@pytest.mark.parametrize(
    ("fields", "data", "content_type", "status", "code"),
    [
        ({"size": len(AUDIO) - 1}, AUDIO, "audio/wav", 413, "upload_overflow"),
        ({"size": len(AUDIO) + 1}, AUDIO, "audio/wav", 400, "incomplete_upload"),
        ({"content_type": "audio/wav"}, AUDIO, "audio/mpeg", 415, "unsupported_media_type"),
        ({"content_type": "audio/wav"}, AUDIO, None, 415, "unsupported_media_type"),
        ({}, b"", "audio/wav", 400, "empty_file"),
    ],
)
def test_a_body_that_is_not_as_signed_is_refused(
    alice: Person,
    put: Put,
    fields: dict[str, Any],
    data: bytes,
    content_type: str | None,
    status: int,
    code: str,
) -> None:
    answer = put(signed(alice, **fields)["url"], data, content_type)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert blob_keys() == set()


@pytest.mark.parametrize("tuned", [{"max_file_size_mb": 1, "max_audio_only_video_size_mb": 1}], indirect=True)
def test_the_size_limit_is_that_of_all_uploads(alice: Person, put: Put, settings: Settings) -> None:
    too_large = alice.post(SIGNED, json={"filename": "a.wav", "size": 1024 * 1024 + 1})
    assert (too_large.status_code, too_large.json["code"]) == (413, "too_large")
    answer = put(signed(alice)["url"], b"x" * (1024 * 1024 + 1))
    assert (answer.status_code, answer.json["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    "fields",
    [
        {"filename": None},
        {"expires_in": 0},
        {"expires_in": 604_801},
        {"size": 0},
        {"content_type": "no type"},
        {"tag_ids": ["x"]},
    ],
)
def test_wrong_fields_are_refused(alice: Person, fields: dict[str, Any]) -> None:
    answer = alice.post(SIGNED, json={"filename": "a.wav", **fields})
    assert (answer.status_code, answer.json["code"]) == (400, "invalid")
    assert next(iter(answer.json["errors"])).startswith(next(iter(fields)))


def test_of_puts_at_once_one_counts(
    app: Flask, alice: Person, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = signed(alice)["url"]
    may_end, is_at_it = threading.Event(), threading.Event()
    examine = intake.examine

    def examine_slowly(*arguments: Any, **options: Any) -> Any:
        is_at_it.set()
        assert may_end.wait(20)
        return examine(*arguments, **options)

    monkeypatch.setattr(intake, "examine", examine_slowly)
    answers: list[Any] = []
    first = threading.Thread(target=lambda: answers.append(put(url)))
    first.start()
    assert is_at_it.wait(20)
    second = put(url)
    assert (second.status_code, second.json["code"]) == (423, "upload_locked")
    assert int(second.headers["Retry-After"]) >= 1
    may_end.set()
    first.join()
    assert answers[0].status_code == 202
    assert len(recordings_of(alice)) == 1


def test_a_put_that_lost_its_lock_makes_no_second_recording(
    app: Flask, alice: Person, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = signed(alice)
    examine = intake.examine

    answers: list[int] = []

    def put_another() -> None:
        with app.app_context(), unit_of_work() as session:  # as after a pause that was longer than the lock
            session.execute(update(Upload).where(Upload.id == made["upload_id"]).values(held_until=None))
        answers.append(put(made["url"]).status_code)

    def examine_after_another(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(intake, "examine", examine)
        thread = threading.Thread(target=put_another)
        thread.start()
        thread.join()
        return examine(*arguments, **options)

    monkeypatch.setattr(intake, "examine", examine_after_another)
    late = put(made["url"])
    assert answers == [202]
    assert (late.status_code, late.json["code"]) == (409, "upload_taken_over")
    (recording,) = recordings_of(alice)
    release()
    assert blob_keys() == {db.session.get_one(Recording, recording["id"]).storage_key}


def test_the_lock_is_renewed_while_bytes_arrive(
    app: Flask, alice: Person, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = signed(alice)
    monkeypatch.setattr(signed_uploads, "_RENEW_EVERY_SECONDS", -1.0)
    changes: list[dict[str, object]] = []
    change = signed_uploads._change
    monkeypatch.setattr(
        signed_uploads, "_change", lambda claim, **values: (changes.append(values), change(claim, **values))
    )
    assert put(made["url"]).status_code == 202
    assert len([values for values in changes if set(values) == {"held_until"}]) >= 2


def test_other_ways_do_not_reach_a_signed_upload_and_it_not_theirs(alice: Person, put: Put) -> None:
    made = signed(alice)
    patched = alice.patch(
        f"/api/v1/uploads/{made['upload_id']}", data=b"RIFF", content_type="application/offset+octet-stream",
        headers={"Upload-Offset": "0"},
    )  # fmt: skip
    assert (patched.status_code, patched.json["code"]) == (409, "upload_kind_mismatch")
    tus = alice.post("/api/v1/uploads", headers={"Upload-Length": "1000"}).headers["Location"]
    sent = alice.put(f"{tus}/content", data=AUDIO)
    assert (sent.status_code, sent.json["code"]) == (409, "upload_kind_mismatch")


def test_the_same_key_gives_the_same_address(alice: Person) -> None:
    answers = [alice.post(SIGNED, json={"filename": "a"}, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert answers[0].json == answers[1].json


@pytest.mark.parametrize("tuned", [{"cors_origins": "https://app.example.org"}], indirect=True)
def test_a_web_page_may_put(app: Flask, alice: Person, put: Put) -> None:
    url = signed(alice)["url"]
    parts = urlsplit(url)
    asked = {
        "Origin": "https://app.example.org",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "content-type",
    }
    preflight = app.test_client().options(f"{parts.path}?{parts.query}", headers=asked)
    assert preflight.status_code == 204
    assert "PUT" in preflight.headers["Access-Control-Allow-Methods"]
    answer = put(url, Origin="https://app.example.org")
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example.org"
    assert answer.status_code == 202


@pytest.fixture
def on_s3(app: Flask, backends: Backends, s3_storage: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(plumbing, "_backends", replace(backends, storage=s3_storage))
    return


@pytest.mark.usefixtures("on_s3")
def test_a_signed_put_works_on_s3(alice: Person, put: Put) -> None:
    made = signed(alice)
    assert put(made["url"], b"no audio").status_code == 400
    assert blob_keys() == set()
    answer = put(made["url"])
    assert answer.status_code == 202
    sound = alice.get(f"/api/v1/recordings/{answer.json['id']}/audio")
    assert hashlib.sha256(sound.data).digest() == hashlib.sha256(AUDIO).digest()
