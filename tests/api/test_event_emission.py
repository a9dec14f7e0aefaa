"""Events of every API route, with the documented keys: from the request to the body of a delivery."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from speakr.db import db, release, unit_of_work
from speakr.domain.clock import now
from speakr.domain.errors import ConnectorRejected
from speakr.domain.events import EventsExtracted, EventType
from speakr.domain.recordings import RecordingStatus
from speakr.models import Delivery, Recording, Segment
from speakr.services.recordings import retention
from speakr.services.system import system_settings
from speakr.services.webhooks import events
from tests.conftest import Person, wav
from tests.fakes import FakeTranscriber, FakeWriter

Upload = Callable[..., Any]
Work = Callable[[], None]
NewEvents = Callable[[], list[tuple[str, dict[str, Any]]]]


@pytest.fixture
def settings(settings):
    return replace(settings, webhook_allowed_hosts="127.0.0.1/32", enable_folders=True)


@pytest.fixture
def new_events(alice: Person) -> NewEvents:
    """Return what alice's webhook was sent since the last call: pairs of type and data."""
    hook = alice.post(
        "/api/v1/webhooks",
        json={
            "name": "all",
            "url": "http://127.0.0.1:8765/",
            "events": [event.value for event in EventType],
            "allow_http": True,
        },
    ).json["id"]
    last = 0

    def since() -> list[tuple[str, dict[str, Any]]]:
        nonlocal last
        release()
        rows = db.session.execute(
            select(Delivery.id, Delivery.body)
            .where(Delivery.webhook_id == hook, Delivery.id > last)
            .order_by(Delivery.id)
        ).all()
        last = max([last, *(row.id for row in rows)])
        bodies = [orjson.loads(row.body) for row in rows]
        assert all(body["user_id"] == alice.id for body in bodies)
        return [(body["type"], body["data"]) for body in bodies]

    return since


@pytest.fixture
def recording(alice: Person, new_events: NewEvents) -> int:
    """A finished recording with a speaker."""
    with unit_of_work() as session:
        row = Recording(
            user_id=alice.id,
            title="Stand-up",
            status=RecordingStatus.COMPLETED,
            has_transcription=True,
            original_filename="meeting.wav",
            mime_type="audio/wav",
            file_size=1,
            sha256="0" * 64,
            storage_key="audio/0",
        )
        session.add(row)
        session.flush()  # to know row.id
        session.add(
            Segment(
                recording_id=row.id,
                position=0,
                start=0.0,
                end=1.0,
                text="Good morning.",
                speaker="SPEAKER_00",
                words=[],
            )
        )
        return row.id


def updated(number: int, *fields: str, title: str = "Stand-up") -> tuple[str, dict[str, Any]]:
    data = {"recording_id": number, "title": title, "fields_changed": list(fields)}
    return "recording.updated", data


def test_from_upload_to_summary(alice: Person, upload: Upload, work: Work, new_events: NewEvents) -> None:
    data = wav(1.0)
    number = upload(alice, data, title="Stand-up").json["id"]
    it = {"recording_id": number, "title": "Stand-up"}
    assert new_events() == [
        ("recording.created", {**it, "file_size": len(data), "original_filename": "meeting.wav"})
    ]
    work()
    started, transcribed, summed_up = new_events()
    assert started == ("recording.transcription.started", it)
    kind, details = transcribed
    assert kind == "recording.transcription.completed"
    assert details.pop("transcription_duration_seconds") >= 0
    assert details == {**it, "language": "en", "audio_duration_seconds": 1.0}
    kind, details = summed_up
    assert kind == "recording.summary.completed"
    assert set(details) == {*it, "transcription_duration_seconds", "summarization_duration_seconds"}


def test_a_summary_that_was_asked_for(
    alice: Person, recording: int, work: Work, new_events: NewEvents
) -> None:
    alice.post(f"/api/v1/recordings/{recording}/summarize")
    work()
    ((kind, details),) = new_events()
    assert (kind, details["recording_id"]) == ("recording.summary.completed", recording)


def test_a_transcription_that_failed(
    alice: Person, upload: Upload, work: Work, new_events: NewEvents, transcriber: FakeTranscriber
) -> None:
    def refuse(_: object) -> None:
        raise ConnectorRejected("The key is wrong.")

    transcriber.before = refuse
    number = upload(alice, title="Stand-up").json["id"]
    work()
    assert new_events()[-1] == (
        "recording.transcription.failed",
        {"recording_id": number, "title": "Stand-up", "error": "The key is wrong."},
    )


def test_a_summary_that_failed(
    alice: Person, upload: Upload, work: Work, new_events: NewEvents, writer: FakeWriter
) -> None:
    def refuse(_: object) -> None:
        raise ConnectorRejected("The key is wrong.")

    writer.before = refuse
    number = upload(alice, title="Stand-up").json["id"]
    work()
    assert new_events()[-1] == (
        "recording.summary.failed",
        {"recording_id": number, "title": "Stand-up", "error": "The key is wrong."},
    )


def test_events_that_were_found(alice: Person, recording: int, new_events: NewEvents) -> None:
    with unit_of_work():
        found = EventsExtracted(recording_id=recording, title="Stand-up", events_count=2)
        events.record(alice.id, found, recording_id=recording)
    assert new_events() == [
        (
            "recording.events.extracted",
            {"recording_id": recording, "title": "Stand-up", "events_count": 2},
        )
    ]


def test_fields_that_a_user_changed(alice: Person, recording: int, new_events: NewEvents) -> None:
    path = f"/api/v1/recordings/{recording}"
    alice.patch(path, json={"is_inbox": False, "participants": "Ann"})
    alice.put(f"{path}/notes", json={"notes": "Mine"})
    alice.put(f"{path}/summary", json={"summary": "Short"})
    assert new_events() == [
        updated(recording, "participants", "is_inbox"),
        updated(recording, "notes"),
        updated(recording, "summary"),
    ]
    alice.patch(path, json={"title": ["not", "text"]})
    assert new_events() == []


def test_a_title_that_was_written_anew(alice: Person, recording: int, new_events: NewEvents) -> None:
    alice.post(f"/api/v1/recordings/{recording}/regenerate_title")
    title = alice.get(f"/api/v1/recordings/{recording}").json["title"]
    assert title != "Stand-up"
    assert new_events() == [updated(recording, "title", title=title)]


def test_tags_and_folders(alice: Person, recording: int, new_events: NewEvents) -> None:
    path = f"/api/v1/recordings/{recording}"
    tag = alice.post("/api/v1/tags", json={"name": "Work"}).json["id"]
    folder = alice.post("/api/v1/folders", json={"name": "Team"}).json["id"]
    alice.post(f"{path}/tags", json={"tag_ids": [tag]})
    alice.post(f"{path}/tags", json={"tag_ids": [tag]})
    assert new_events() == [updated(recording, "tags")]
    alice.delete(f"{path}/tags/{tag}")
    assert new_events() == [updated(recording, "tags")]
    alice.patch(path, json={"folder_id": folder})
    assert new_events() == [updated(recording, "folder_id")]
    alice.post(f"{path}/tags", json={"tag_ids": [tag]})
    new_events()
    alice.delete(f"/api/v1/tags/{tag}")
    alice.delete(f"/api/v1/folders/{folder}")
    assert new_events() == [updated(recording, "tags"), updated(recording, "folder_id")]


def test_who_speaks(alice: Person, recording: int, new_events: NewEvents) -> None:
    alice.put(f"/api/v1/recordings/{recording}/speakers/assign", json={"speaker_map": {"SPEAKER_00": "Ann"}})
    assert new_events() == [updated(recording, "participants")]
    (ann,) = alice.get("/api/v1/speakers").json["speakers"]
    alice.put(f"/api/v1/speakers/{ann['id']}", json={"name": "Anna"})
    assert new_events() == [updated(recording, "participants")]


def test_many_at_once(alice: Person, recording: int, new_events: NewEvents) -> None:
    tag = alice.post("/api/v1/tags", json={"name": "Work"}).json["id"]
    folder = alice.post("/api/v1/folders", json={"name": "Team"}).json["id"]
    changes = {"is_inbox": False, "folder_id": folder, "add_tag_ids": [tag]}
    batch = "/api/v1/recordings/batch"
    alice.patch(batch, json={"recording_ids": [recording], "updates": changes})
    assert new_events() == [updated(recording, "is_inbox", "folder_id", "tags")]
    alice.delete(batch, json={"recording_ids": [recording, 999_999]})
    assert new_events() == [("recording.deleted", {"recording_id": recording, "title": "Stand-up"})]


def test_what_is_gone(alice: Person, recording: int, new_events: NewEvents) -> None:
    alice.delete(f"/api/v1/recordings/{recording}")
    assert new_events() == [("recording.deleted", {"recording_id": recording, "title": "Stand-up"})]
    assert alice.delete(f"/api/v1/recordings/{recording}").status_code == 404
    assert new_events() == []


@pytest.mark.parametrize("mode", ["full_recording", "audio_only"])
def test_what_was_kept_long_enough(recording: int, new_events: NewEvents, mode: str) -> None:
    with unit_of_work() as session:
        row = session.get_one(Recording, recording)
        row.created_at, row.status = now() - timedelta(days=9), RecordingStatus.COMPLETED
        for name, value in {
            "enable_auto_deletion": True,
            "retention_days": 1,
            "deletion_mode": mode,
        }.items():
            system_settings.put(name, value)
    retention.run()
    gone = ("recording.deleted", {"recording_id": recording, "title": "Stand-up"})
    assert new_events() == [updated(recording, "audio_available") if mode == "audio_only" else gone]


def test_leaving_a_group_and_its_end(
    alice: Person, make_person: Callable[..., Person], recording: int, new_events: NewEvents
) -> None:
    from speakr.domain.permissions import Scope

    root = make_person("root", is_admin=True, scopes=frozenset(Scope))

    def file_in_group(name: str) -> int:
        group: int = root.post("/api/v1/groups", json={"name": name}).json["id"]
        root.post(f"/api/v1/groups/{group}/members", json={"user_id": alice.id})
        tag = root.post("/api/v1/tags", json={"name": "Ours", "group_id": group}).json["id"]
        folder = root.post("/api/v1/folders", json={"name": "Ours", "group_id": group}).json["id"]
        alice.post(f"/api/v1/recordings/{recording}/tags", json={"tag_ids": [tag]})
        alice.patch(f"/api/v1/recordings/{recording}", json={"folder_id": folder})
        assert len(new_events()) == 2
        return group

    group = file_in_group("First")
    assert root.delete(f"/api/v1/groups/{group}/members/{alice.id}").status_code < 300
    assert sorted(new_events(), key=str) == [updated(recording, "folder_id"), updated(recording, "tags")]
    group = file_in_group("Second")
    assert root.delete(f"/api/v1/groups/{group}").status_code < 300
    assert sorted(new_events(), key=str) == [updated(recording, "folder_id"), updated(recording, "tags")]


def test_a_test(alice: Person, new_events: NewEvents) -> None:
    hook = alice.get("/api/v1/webhooks").json["webhooks"][0]["id"]
    alice.post(f"/api/v1/webhooks/{hook}/test")
    ((kind, details),) = new_events()
    assert (kind, set(details), details["webhook_id"]) == ("webhook.test", {"reason", "webhook_id"}, hook)
