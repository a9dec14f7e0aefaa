"""Uploads by tus 1.0, from the view of clients, on both databases."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from speakr import backends as plumbing
from speakr.backends import Backends, get_backends
from speakr.db import db, unit_of_work
from speakr.domain.clock import now
from speakr.models import Recording, Upload, UploadPart
from speakr.services.recordings import intake
from speakr.services.system import maintenance, orphans
from tests.api.resumable import (
    BYTES,
    TUS,
    UPLOADS,
    address,
    checksum,
    metadata,
    offset_of,
    open_upload,
    send,
)
from tests.conftest import Person, wav

AUDIO = wav(1.0)
HALF = len(AUDIO) // 2


def recordings_of(person: Person) -> list[dict[str, Any]]:
    return person.get("/api/v1/recordings").get_json()["recordings"]


def blob_keys() -> set[str]:
    return {key for key, _ in get_backends().storage.keys("audio")}


def blob_of(recording_id: int) -> bytes:
    key = db.session.scalar(select(Recording.storage_key).where(Recording.id == recording_id))
    assert key is not None
    with get_backends().storage.open(key) as blob:
        return blob.read()


def test_discovery_says_what_the_server_can_do(app: Flask) -> None:
    answer = app.test_client().options(UPLOADS)
    assert answer.status_code in {200, 204}
    assert answer.headers["Tus-Resumable"] == answer.headers["Tus-Version"] == "1.0.0"
    extensions = set(answer.headers["Tus-Extension"].split(","))
    assert extensions == {"creation", "creation-with-upload", "expiration", "checksum", "termination"}
    assert answer.headers["Tus-Checksum-Algorithm"] == "sha1,sha256"
    assert int(answer.headers["Tus-Max-Size"]) == 4096 * 1024 * 1024


def test_an_upload_in_two_pieces_becomes_a_recording(alice: Person) -> None:
    path = address(alice, len(AUDIO), filename="talk.wav", title="A talk", notes="Grüße")
    first = send(alice, path, AUDIO[:HALF], 0)
    assert (first.status_code, first.headers["Upload-Offset"]) == (204, str(HALF))
    assert "Location" not in first.headers
    assert recordings_of(alice) == []
    head = alice.head(path, headers=TUS)
    assert (head.headers["Upload-Offset"], head.headers["Upload-Length"]) == (str(HALF), str(len(AUDIO)))
    assert head.headers["Upload-Metadata"] == metadata(filename="talk.wav", title="A talk", notes="Grüße")
    assert head.headers["Cache-Control"] == "no-store"
    last = send(alice, path, AUDIO[HALF:], HALF)
    assert last.status_code == 204
    (recording,) = recordings_of(alice)
    assert last.headers["Location"] == f"/api/v1/recordings/{recording['id']}"
    assert (recording["title"], recording["original_filename"]) == ("A talk", "talk.wav")
    assert blob_of(recording["id"]) == AUDIO
    stored = db.session.get(Recording, recording["id"])
    assert stored is not None
    assert (stored.sha256, stored.notes) == (hashlib.sha256(AUDIO).hexdigest(), "Grüße")
    body = alice.get(path).get_json()
    assert (body["state"], body["recording_id"], body["error"]) == ("completed", recording["id"], None)
    assert len(blob_keys()) == 1
    assert db.session.scalars(select(UploadPart)).all() == []


def test_creation_with_upload_takes_the_whole_file(alice: Person) -> None:
    answer = open_upload(alice, len(AUDIO), AUDIO, filename="a.wav")
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, str(len(AUDIO)))
    assert alice.get(answer.headers["Location"]).get_json()["state"] == "completed"
    assert len(recordings_of(alice)) == 1


def test_metadata_is_read_as_the_multipart_form_is(
    alice: Person, upload: Callable[..., Any], app: Flask
) -> None:
    tag = alice.post("/api/v1/tags", json={"name": "Interviews"}).get_json()
    fields = {
        "title": "One", "language": "de", "hotwords": "Speakr", "min_speakers": "2", "max_speakers": "3",
        "tags": "Interviews", "meeting_date": "2024-01-15T09:00:00Z", "keep_audio_only": "true",
        "prompt_variables": '{"project": "Apollo"}', "initial_prompt": "A talk.",
    }  # fmt: skip
    form = upload(alice, AUDIO, "a.wav", **fields).get_json()["id"]
    path = address(alice, len(AUDIO), filename="a.wav", **fields)
    send(alice, path, AUDIO, 0)
    by_tus = alice.get(path).get_json()["recording_id"]
    one, other = (db.session.get_one(Recording, number) for number in (form, by_tus))
    for name in ("title", "hints", "meeting_date", "keep_audio_only", "notes", "sha256", "mime_type"):
        assert getattr(one, name) == getattr(other, name), name
    assert [each["id"] for each in alice.get(f"/api/v1/recordings/{by_tus}").get_json()["tags"]] == [
        tag["id"]
    ]


def test_a_wrong_offset_is_a_conflict_that_names_the_right_one(alice: Person) -> None:
    path = address(alice, len(AUDIO))
    send(alice, path, AUDIO[:100], 0)
    for offset in (0, 99, 101):
        answer = send(alice, path, AUDIO[100:], offset)
        assert (answer.status_code, answer.get_json()["code"]) == (409, "upload_offset_mismatch")
        assert answer.get_json()["offset"] == 100
    assert offset_of(alice, path) == 100


def test_uploads_of_others_do_not_exist(alice: Person, bob: Person) -> None:
    path = address(alice, len(AUDIO))
    assert bob.head(path, headers=TUS).status_code == 404
    assert bob.get(path).status_code == 404
    assert send(bob, path, AUDIO, 0).status_code == 404
    assert bob.delete(path, headers=TUS).status_code == 404
    assert offset_of(alice, path) == 0


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_bytes_with_a_wrong_checksum_do_not_count(alice: Person, algorithm: str) -> None:
    path = address(alice, len(AUDIO))
    wrong = send(alice, path, AUDIO[:HALF], 0, **checksum(b"other", algorithm))
    assert (wrong.status_code, wrong.get_json()["code"]) == (460, "checksum_mismatch")
    assert offset_of(alice, path) == 0
    assert send(alice, path, AUDIO[:HALF], 0, **checksum(AUDIO[:HALF], algorithm)).status_code == 204
    assert send(alice, path, b"x" * HALF, HALF, **checksum(AUDIO[HALF:], algorithm)).status_code == 460
    assert send(alice, path, AUDIO[HALF:], HALF, **checksum(AUDIO[HALF:], algorithm)).status_code == 204
    (recording,) = recordings_of(alice)
    assert blob_of(recording["id"]) == AUDIO


def test_a_deleted_upload_leaves_nothing(alice: Person) -> None:
    path = address(alice, len(AUDIO))
    send(alice, path, AUDIO[:HALF], 0)
    assert len(blob_keys()) == 1
    assert alice.delete(path, headers=TUS).status_code == 204
    assert alice.head(path, headers=TUS).status_code == 404
    assert blob_keys() == set()


def test_deleting_a_completed_upload_keeps_its_recording(alice: Person) -> None:
    path = address(alice, len(AUDIO))
    send(alice, path, AUDIO, 0)
    assert alice.delete(path, headers=TUS).status_code == 204
    (recording,) = recordings_of(alice)
    assert blob_of(recording["id"]) == AUDIO


def test_a_file_that_is_no_media_is_refused_with_its_last_byte(alice: Person) -> None:
    text = b"no sound in here " * 100
    path = address(alice, len(text), filename="a.txt")
    assert send(alice, path, text[:500], 0).status_code == 204
    last = send(alice, path, text[500:], 500)
    assert (last.status_code, last.get_json()["code"]) == (400, "not_media")
    body = alice.get(path).get_json()
    assert (body["state"], body["error"]["code"], body["recording_id"]) == ("failed", "not_media", None)
    assert send(alice, path, b"", len(text)).get_json()["code"] == "not_media"
    assert alice.head(path, headers=TUS).status_code == 400
    assert blob_keys() == set()
    assert recordings_of(alice) == []


def test_a_quota_can_be_met_later(alice: Person, app: Flask) -> None:
    from speakr.models import User

    def allow(quota: int | None) -> None:
        with unit_of_work() as session:
            session.get_one(User, alice.id).storage_quota_bytes = quota

    allow(1000)
    path = address(alice, len(AUDIO))
    refused = send(alice, path, AUDIO, 0)
    assert (refused.status_code, refused.get_json()["code"]) == (403, "storage_quota_exceeded")
    assert alice.get(path).get_json()["error"]["code"] == "storage_quota_exceeded"
    allow(None)
    assert send(alice, path, b"", len(AUDIO)).status_code == 204
    body = alice.get(path).get_json()
    assert (body["state"], body["error"]) == ("completed", None)
    assert len(recordings_of(alice)) == 1


def test_a_crash_between_the_last_byte_and_the_row_is_made_good(
    alice: Person, monkeypatch: pytest.MonkeyPatch, app: Flask
) -> None:
    class Killed(BaseException):
        pass

    path = address(alice, len(AUDIO))
    with monkeypatch.context() as patch:
        patch.setattr(intake, "create", lambda *_: (_ for _ in ()).throw(Killed()))
        patch.setattr("speakr.services.recordings.resumable_finishing._unlock", lambda *_: None)
        with pytest.raises(Killed):
            send(alice, path, AUDIO, 0)
    locked = send(alice, path, b"", len(AUDIO))
    assert (locked.status_code, locked.get_json()["code"]) == (423, "upload_locked")
    assert int(locked.headers["Retry-After"]) >= 1
    with unit_of_work() as session:
        session.execute(update(Upload).values(held_until=now()))
    assert alice.head(path, headers=TUS).headers["Upload-Offset"] == str(len(AUDIO))
    assert send(alice, path, b"", len(AUDIO)).status_code == 204
    (recording,) = recordings_of(alice)
    assert blob_of(recording["id"]) == AUDIO


def test_the_last_bytes_sent_twice_make_one_recording(alice: Person) -> None:
    path = address(alice, len(AUDIO))
    send(alice, path, AUDIO, 0)
    again = send(alice, path, b"", len(AUDIO))
    assert (again.status_code, again.headers["Upload-Offset"]) == (204, str(len(AUDIO)))
    more = send(alice, path, b"more", len(AUDIO))
    assert (more.status_code, more.get_json()["code"]) == (409, "upload_finished")
    assert len(recordings_of(alice)) == 1


def test_more_bytes_than_declared_are_refused(alice: Person) -> None:
    path = address(alice, 1000)
    answer = send(alice, path, AUDIO, 0)
    assert (answer.status_code, answer.get_json()["code"]) == (413, "upload_overflow")


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 400, "invalid"),
        ({"Upload-Length": "-1"}, 400, "invalid"),
        ({"Upload-Length": "1e6"}, 400, "invalid"),
        ({"Upload-Length": "9" * 16}, 400, "invalid"),
        ({"Upload-Length": "0"}, 400, "empty_file"),
        ({"Upload-Length": str(5 << 30)}, 413, "too_large"),
        ({"Upload-Defer-Length": "1"}, 400, "length_deferred"),
        ({"Upload-Length": "10", "Upload-Metadata": "filename not-base64!"}, 400, "invalid"),
        ({"Upload-Length": "10", "Upload-Metadata": metadata(meeting_date="soon")}, 400, "invalid"),
        ({"Upload-Length": "10", "Upload-Metadata": "title \u00e9"}, 400, "invalid"),
        ({"Upload-Length": "10", "Upload-Metadata": "filename AP8="}, 400, "invalid"),
        ({"Upload-Length": "10", "Tus-Resumable": "0.2.2"}, 412, "tus_version_unsupported"),
        ({"Upload-Length": "10", "Content-Type": "text/plain"}, 415, "unsupported_media_type"),
    ],
)
def test_an_upload_that_cannot_be_opened(
    alice: Person, headers: dict[str, str], status: int, code: str
) -> None:
    answer = alice.post(UPLOADS, headers={**TUS, **headers})
    assert (answer.status_code, answer.get_json()["code"]) == (status, code), answer.text
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    assert ("Tus-Version" in answer.headers) == (status == 412)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upload-Offset": ""}, 400),
        ({"Upload-Offset": "x"}, 400),
        ({"Content-Type": "application/json"}, 415),
        ({"Upload-Checksum": "md5 AAAA"}, 400),
        ({"Upload-Checksum": "sha1 ???"}, 400),
        ({"Tus-Resumable": "2.0.0"}, 412),
    ],
)
def test_a_piece_that_is_not_understood(alice: Person, headers: dict[str, str], status: int) -> None:
    path = address(alice, 1000)
    sent = {**TUS, "Upload-Offset": "0", "Content-Type": BYTES, **headers}
    answer = alice.patch(path, data=b"x" * 10, headers=sent)
    assert answer.status_code == status, answer.text
    assert offset_of(alice, path) == 0


def test_a_user_has_so_many_uploads_open(
    alice: Person, bob: Person, backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(backends.settings, max_open_uploads=2)
    monkeypatch.setattr(plumbing, "_backends", replace(backends, settings=settings))
    first, _ = address(alice, 1000), address(alice, 1000)
    refused = open_upload(alice, 1000)
    assert (refused.status_code, refused.get_json()["code"]) == (409, "too_many_uploads")
    assert open_upload(bob, 1000).status_code == 201
    alice.delete(first, headers=TUS)
    assert open_upload(alice, 1000).status_code == 201


def test_a_file_for_which_there_is_no_space_is_refused_before_it_is_sent(
    alice: Person, backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(backends.settings, min_free_disk_mb=1 << 40)
    monkeypatch.setattr(plumbing, "_backends", replace(backends, settings=settings))
    answer = open_upload(alice, 1000)
    assert (answer.status_code, answer.get_json()["code"]) == (507, "out_of_space")


def test_an_expired_upload_is_gone_and_removed(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    path, other = address(alice, len(AUDIO)), address(alice, len(AUDIO))
    send(alice, path, AUDIO[:HALF], 0)
    send(alice, other, AUDIO[:HALF], 0)
    expires = parsedate_to_datetime(alice.head(path, headers=TUS).headers["Upload-Expires"])
    assert abs(expires - now() - timedelta(hours=24)) < timedelta(minutes=1)
    with unit_of_work() as session:
        number = int(path.rpartition("/")[2])
        session.execute(update(Upload).where(Upload.id == number).values(expires_at=now()))
    assert alice.head(path, headers=TUS).status_code == 404
    assert send(alice, path, AUDIO[HALF:], HALF).status_code == 404
    assert len(blob_keys()) == 2
    monkeypatch.setattr(maintenance, "_last_rare", -1e9)
    maintenance.run_maintenance()
    assert len(blob_keys()) == 1
    assert len(db.session.scalars(select(Upload.id)).all()) == 1
    assert send(alice, other, AUDIO[HALF:], HALF).status_code == 204


def test_the_orphan_sweep_spares_open_uploads(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "BLOB_AGE", timedelta(0))
    path = address(alice, len(AUDIO))
    send(alice, path, AUDIO[:HALF], 0)
    sweep = orphans.Sweep()
    while sweep.step():
        pass
    assert len(blob_keys()) == 1
    assert send(alice, path, AUDIO[HALF:], HALF).status_code == 204


def test_a_method_may_be_named_in_a_header(alice: Person) -> None:
    path = address(alice, len(AUDIO))
    headers = {**TUS, "X-HTTP-Method-Override": "PATCH", "Upload-Offset": "0"}
    assert alice.post(path, data=AUDIO[:HALF], content_type=BYTES, headers=headers).status_code == 204
    assert offset_of(alice, path) == HALF


def test_a_first_piece_that_cannot_be_taken_leaves_no_upload(alice: Person) -> None:
    answer = open_upload(alice, 1000, AUDIO)
    assert answer.status_code == 413
    text = b"no media" * 10
    assert open_upload(alice, len(text), text).get_json()["code"] == "not_media"
    assert db.session.scalars(select(Upload)).all() == []
    assert blob_keys() == set()


def test_a_deleted_user_leaves_no_bytes_of_open_uploads(
    alice: Person, make_person: Callable[..., Person]
) -> None:
    from speakr.domain.permissions import Scope

    root = make_person("root", is_admin=True, scopes=frozenset(Scope))
    send(alice, address(alice, len(AUDIO)), AUDIO[:HALF], 0)
    assert root.delete(f"/api/v1/admin/users/{alice.id}").status_code in {200, 204}
    assert blob_keys() == set()
