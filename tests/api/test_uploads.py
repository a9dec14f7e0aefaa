"""Uploads: what is accepted, what is refused, and that nothing is stored twice or left behind."""

from __future__ import annotations

import hashlib
import json
import threading

import pytest
from flask import Flask
from sqlalchemy import func, select

from speakr.backends import Backends
from speakr.db import db, release, unit_of_work
from speakr.models import Event, Folder, IdempotencyKey, Job, Recording, Tag
from speakr.services.system import system_settings
from tests.conftest import Person, multipart, wav


def stored(backends: Backends) -> list[str]:
    return [key for key, _ in backends.storage.keys("audio")]


def read(backends: Backends, key: str) -> bytes:
    with backends.storage.open(key) as blob:
        return blob.read()


def count(table: type) -> int:
    release()
    return db.session.scalar(select(func.count()).select_from(table)) or 0


def test_the_documented_answer(alice: Person, upload, backends: Backends) -> None:
    data = wav(1.5)
    answer = upload(
        alice, data, "Team meeting.wav", notes="Quick test upload", file_last_modified="1705309200000"
    )
    assert answer.status_code == 202
    body = answer.json
    assert isinstance(body["id"], int)
    assert body == {
        "id": body["id"],
        "title": "Recording - Team meeting.wav",
        "status": "PENDING",
        "created_at": body["created_at"],
        "meeting_date": "2024-01-15T09:00:00Z",
        "file_size": len(data),
        "original_filename": "Team meeting.wav",
        "mime_type": body["mime_type"],
        "notes": "Quick test upload",
        "keep_audio_only": False,
    }
    assert body["mime_type"] in {"audio/wav", "audio/x-wav"}
    assert body["created_at"].endswith("Z")
    (key,) = stored(backends)
    assert read(backends, key) == data
    assert "Team" not in key


def test_every_field_is_honoured(app: Flask, alice: Person, upload) -> None:
    with unit_of_work() as session:
        system_settings.put("enable_folders", value=True)
        first, second = (
            Tag(user_id=alice.id, name="b"),
            Tag(user_id=alice.id, name="a", default_hotwords="tagged"),
        )
        folder = Folder(user_id=alice.id, name="Calls", default_language="fr")
        session.add_all([first, second, folder])
        session.flush()
        ids = (first.id, second.id, folder.id)
    answer = upload(
        alice,
        title="  Planning  ",
        meeting_date="2024-02-03T04:05:06+02:00",
        language="en",
        min_speakers="2",
        max_speakers="4",
        hotwords="Acme",
        initial_prompt="A call.",
        folder_id=ids[2],
        keep_audio_only="true",
        prompt_variables=json.dumps({"name": "Ann", "9bad": "x", "list": [1], "n": 3}),
        **{"tag_ids[0]": ids[1], "tag_ids[1]": ids[0], "tag_ids[3]": ids[0]},
    )
    detail = alice.get(f"/api/v1/recordings/{answer.json['id']}").json
    assert detail["title"] == "Planning"
    assert detail["meeting_date"] == "2024-02-03T02:05:06Z"
    assert [tag["id"] for tag in detail["tags"]] == [ids[1], ids[0]]
    assert detail["folder"] == {"id": ids[2], "name": "Calls"}
    assert answer.json["keep_audio_only"] is True
    options = db.session.scalars(select(Job.options)).one()
    assert options == {
        "language": "en",
        "min_speakers": 2,
        "max_speakers": 4,
        "hotwords": "Acme",
        "initial_prompt": "A call.",
        "prompt_variables": {"name": "Ann", "n": "3"},
    }


def test_hints_fall_back_to_the_first_tag_then_folder(app: Flask, alice: Person, upload) -> None:
    with unit_of_work() as session:
        system_settings.put("enable_folders", value=True)
        session.add_all(
            [
                Tag(id=1, user_id=alice.id, name="t", default_language="it", default_min_speakers=2),
                Folder(id=1, user_id=alice.id, name="f", default_language="fr", default_hotwords="folder"),
            ]
        )
    upload(alice, folder_id=1, tag_id=1)
    upload(alice, folder_id=1)
    upload(alice, folder_id=1, language="")
    options = db.session.scalars(select(Job.options).order_by(Job.id)).all()
    assert options == [
        {"language": "it", "min_speakers": 2},
        {"language": "fr", "hotwords": "folder"},
        {"hotwords": "folder"},
    ]


def test_tags_and_folders_of_others_are_dropped(app: Flask, alice: Person, bob: Person, upload) -> None:
    with unit_of_work() as session:
        system_settings.put("enable_folders", value=True)
        session.add_all([Tag(id=1, user_id=bob.id, name="t"), Folder(id=1, user_id=bob.id, name="f")])
    made = upload(alice, tag_id=1, folder_id=1).json["id"]
    detail = alice.get(f"/api/v1/recordings/{made}").json
    assert (detail["tags"], detail["folder"]) == ([], None)


def test_bad_numbers_count_as_absent_as_documented(alice: Person, upload) -> None:
    fields = {
        "min_speakers": "two",
        "max_speakers": "-1",
        "tag_id": "9" * 40,
        "folder_id": "x",
        "file_last_modified": "soon",
    }
    assert upload(alice, **fields).status_code == 202


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"meeting_date": "yesterday"}, "meeting_date"),
        ({"min_speakers": "5", "max_speakers": "2"}, "min_speakers"),
    ],
)
def test_contradictory_fields_are_refused(
    alice: Person, upload, backends: Backends, fields: dict, field: str
) -> None:
    answer = upload(alice, **fields)
    assert answer.status_code == 400
    assert field in answer.json["errors"]
    assert stored(backends) == []


def test_duplicates_are_accepted_and_reported(alice: Person, bob: Person, upload) -> None:
    first = upload(alice, title="First").json
    second = upload(alice).json
    assert second["duplicate_warning"] == {
        "existing_recording_id": first["id"],
        "existing_title": "First",
        "existing_created_at": first["created_at"],
    }
    info = alice.get(f"/api/v1/recordings/{second['id']}").json["duplicate_info"]
    assert info["total_copies"] == 2
    assert [copy["is_self"] for copy in info["copies"]] == [False, True]
    assert "duplicate_warning" not in upload(bob).json


# -- idempotency


def test_the_same_key_and_body_get_the_same_answer(alice: Person, upload, backends: Backends) -> None:
    headers = {"Idempotency-Key": "upload-1"}
    first = upload(alice, headers=headers, title="x")
    second = upload(alice, headers=headers, title="x")
    assert (first.status_code, first.json) == (second.status_code, second.json)
    assert count(Recording) == count(Job) == len(stored(backends)) == 1


@pytest.mark.parametrize("change", [{"title": "y"}, {"data": wav(0.7)}, {"filename": "z.wav"}])
def test_the_same_key_with_another_body_is_refused(
    alice: Person, upload, backends: Backends, change: dict
) -> None:
    headers = {"Idempotency-Key": "upload-1"}
    upload(alice, headers=headers, title="x")
    answer = upload(alice, headers=headers, **{"title": "x", **change})
    assert (answer.status_code, answer.json["code"]) == (400, "idempotency_key_reused")
    assert count(Recording) == len(stored(backends)) == 1


def test_keys_belong_to_users(alice: Person, bob: Person, upload) -> None:
    headers = {"Idempotency-Key": "the same"}
    assert upload(alice, headers=headers).json["id"] != upload(bob, headers=headers).json["id"]


def test_a_key_in_flight_is_409(app: Flask, alice: Person, upload) -> None:
    from speakr.services.system import idempotency

    with unit_of_work():
        held = idempotency.reserve(alice.id, "busy", "uploadRecording")
    answer = upload(alice, headers={"Idempotency-Key": "busy"})
    assert (answer.status_code, answer.json["code"]) == (409, "idempotency_in_flight")
    with unit_of_work() as session:
        row = session.get_one(IdempotencyKey, held.key_id)
        row.locked_until = row.created_at.replace(year=2020)
    assert upload(alice, headers={"Idempotency-Key": "busy"}).status_code == 202


def test_a_refused_upload_frees_its_key(alice: Person, upload) -> None:
    headers = {"Idempotency-Key": "again"}
    assert upload(alice, b"not audio at all", headers=headers).status_code == 400
    assert upload(alice, headers=headers).status_code == 202


def test_a_key_is_forgotten_after_a_day(app: Flask, alice: Person, upload) -> None:
    headers = {"Idempotency-Key": "old"}
    first = upload(alice, headers=headers).json["id"]
    with unit_of_work() as session:
        row = session.scalars(select(IdempotencyKey)).one()
        row.created_at = row.created_at.replace(year=2020)
    assert upload(alice, headers=headers).json["id"] != first


@pytest.mark.on_sqlite
@pytest.mark.parametrize("key", ["", " ", "x" * 256])
def test_unusable_keys(alice: Person, upload, key: str) -> None:
    assert upload(alice, headers={"Idempotency-Key": key}).json["code"] == "idempotency_key_invalid"


def test_twenty_at_once_with_one_key_store_once(app: Flask, alice: Person) -> None:
    body, content_type = multipart(wav(), "x.wav", {})
    answers: list[int] = []

    def send() -> None:
        answer = app.test_client().post(
            "/api/v1/recordings/upload",
            data=body,
            content_type=content_type,
            headers={"Authorization": f"Bearer {alice.token}", "Idempotency-Key": "race"},
        )
        answers.append(answer.status_code)

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) <= {202, 409}
    assert 202 in answers
    assert count(Recording) == 1


# -- refusals


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    ("data", "code"), [(b"", "empty_file"), (b"This is a letter, not a recording. " * 50, "not_media")]
)
def test_what_is_not_audio_is_refused_and_not_kept(
    alice: Person, upload, backends: Backends, data: bytes, code: str
) -> None:
    answer = upload(alice, data, "letter.mp3")
    assert (answer.status_code, answer.json["code"]) == (400, code)
    assert "/" not in answer.json["error"]
    assert stored(backends) == []
    assert count(Recording) == count(Event) == 0


@pytest.mark.on_sqlite
def test_no_file(alice: Person) -> None:
    answer = alice.post("/api/v1/recordings/upload", data={"notes": "x"}, content_type="multipart/form-data")
    assert (answer.status_code, answer.json["error"]) == (400, "No file provided")


@pytest.mark.on_sqlite
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", None])
def test_not_a_form(alice: Person, content_type: str | None) -> None:
    answer = alice.post("/api/v1/recordings/upload", data=b"{}", content_type=content_type)
    assert answer.status_code == 415


def test_uploads_need_a_token(app: Flask, backends: Backends) -> None:
    body, content_type = multipart(wav(), "x.wav", {})
    answer = app.test_client().post("/api/v1/recordings/upload", data=body, content_type=content_type)
    assert answer.status_code == 401
    assert stored(backends) == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd.wav", "passwd.wav"),
        ("C:\\\\Users\\\\ann\\\\call.wav", "call.wav"),
        ("nul\x00byte.wav", "nulbyte.wav"),
        ("evil\u202egpj.wav", "evilgpj.wav"),
        ("x" * 1000 + ".wav", None),
        ("日本語.wav", "日本語.wav"),
    ],
)
def test_hostile_names(alice: Person, upload, backends: Backends, given: str, kept: str | None) -> None:
    answer = upload(alice, filename=given)
    assert answer.status_code == 202
    name = answer.json["original_filename"]
    assert len(name) <= 255
    assert name.endswith(".wav")
    if kept is not None:
        assert name == kept
    assert all(key.count("/") == 2 and "wav" not in key for key in stored(backends))


def test_hostile_texts_are_stored_without_harm(alice: Person, upload) -> None:
    answer = upload(alice, title="a\x00b\u202e", notes="<script>\x00" + "n" * 1000)
    assert answer.status_code == 202
    assert answer.json["title"].startswith("ab")
    assert "\x00" not in answer.json["notes"]


# -- two users


def test_two_tenants_with_one_file_name_at_once_mix_no_byte(
    app: Flask, alice: Person, bob: Person, backends: Backends
) -> None:
    pairs = 25
    failures: list[object] = []

    def send(person: Person, number: int) -> None:
        data = wav(0.2, frequency=100 + number + (0.5 if person is bob else 0))
        body, content_type = multipart(data, "meeting.wav", {"title": hashlib.sha256(data).hexdigest()})
        answer = app.test_client().post(
            "/api/v1/recordings/upload",
            data=body,
            content_type=content_type,
            headers={"Authorization": f"Bearer {person.token}"},
        )
        if answer.status_code != 202:
            failures.append(answer.json)

    threads = [
        threading.Thread(target=send, args=(person, n)) for n in range(pairs) for person in (alice, bob)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for person in (alice, bob):
        rows = db.session.scalars(select(Recording).where(Recording.user_id == person.id)).all()
        assert len(rows) == pairs
        for row in rows:
            assert row.storage_key is not None
            content = read(backends, row.storage_key)
            assert hashlib.sha256(content).hexdigest() == row.sha256 == row.title
