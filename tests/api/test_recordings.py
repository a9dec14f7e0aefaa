"""Lists, details, changes and deletion."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import event, select

from speakr.db import db, unit_of_work
from speakr.domain.recordings import RecordingStatus
from speakr.models import CalendarEvent, Event, Folder, Recording, RecordingTag, Segment, Tag
from speakr.services.system import system_settings
from tests.conftest import Person


@pytest.fixture
def make(app: Flask):
    """Write recordings directly to the table."""

    def write(person: Person, **values: object) -> int:
        known = {
            "title": "A title",
            "original_filename": "a.wav",
            "mime_type": "audio/wav",
            "file_size": 10,
            "sha256": "0" * 64,
            "storage_key": "audio/00/" + "0" * 32,
            "status": RecordingStatus.COMPLETED,
            "audio_duration": 1.5,
        }
        with unit_of_work() as session:
            row = Recording(user_id=person.id, **{**known, **values})
            session.add(row)
            session.flush()
            return row.id

    return write


def ids(answer) -> list[int]:
    assert answer.status_code == 200, answer.json
    return [item["id"] for item in answer.json["recordings"]]


def test_an_item_has_the_documented_keys(alice: Person, make) -> None:
    make(alice)
    item = alice.get("/api/v1/recordings").json["recordings"][0]
    assert set(item) == {
        "id",
        "title",
        "status",
        "created_at",
        "updated_at",
        "completed_at",
        "meeting_date",
        "file_size",
        "original_filename",
        "participants",
        "is_inbox",
        "is_highlighted",
        "audio_available",
        "language",
        "confidence",
        "audio_duration",
        "has_transcription",
        "has_summary",
        "processing_time_seconds",
        "transcription_duration_seconds",
        "summarization_duration_seconds",
        "folder_id",
        "folder",
        "deletion_exempt",
        "error_message",
        "tags",
        "keep_audio_only",
    }


def test_pages_cover_everything_once_whatever_the_order(alice: Person, bob: Person, make) -> None:
    mine = {make(alice, title="same", file_size=7, meeting_date=None) for _ in range(23)}
    make(bob)
    for sort_by in ("created_at", "meeting_date", "title", "file_size", "status"):
        for order in ("asc", "desc"):
            seen: list[int] = []
            for page in range(1, 6):
                answer = alice.get(
                    f"/api/v1/recordings?per_page=5&page={page}&sort_by={sort_by}&sort_order={order}"
                )
                seen += ids(answer)
            assert sorted(seen) == sorted(mine), (sort_by, order)
    pagination = answer.json["pagination"]
    assert pagination == {
        "page": 5,
        "per_page": 5,
        "total": 23,
        "total_pages": 5,
        "next_cursor": None,
        "has_next": False,
        "has_prev": True,
    }


def test_links_lead_through_the_pages_and_carry_no_token(alice: Person, make) -> None:
    for _ in range(3):
        make(alice)
    answer = alice.client.get(f"/api/v1/recordings?per_page=1&page=2&q=title&token={alice.token}")
    link = answer.headers["Link"]
    assert 'rel="next"' in link
    assert 'rel="prev"' in link
    assert alice.token not in link
    assert "q=title" in link
    assert link.startswith("<http://localhost/api/v1/recordings?")


def test_a_page_past_the_end_is_empty(alice: Person, make) -> None:
    make(alice)
    answer = alice.get("/api/v1/recordings?page=99")
    assert ids(answer) == []
    assert answer.json["pagination"]["has_prev"] is True


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    "query",
    [
        "per_page=0",
        "per_page=-1",
        "per_page=x",
        "page=0",
        "page=1.5",
        "page=" + "9" * 30,
        "tag_id=x",
        "tag_id=99999999999999999999",
        "inbox=maybe",
        "folder_id=-1",
        "date_from=yesterday",
        "date_to=2024-13-45",
    ],
)
def test_junk_in_the_query_is_named(alice: Person, query: str) -> None:
    answer = alice.get(f"/api/v1/recordings?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.json["errors"]


def test_more_than_a_hundred_is_a_hundred(alice: Person) -> None:
    assert alice.get("/api/v1/recordings?per_page=5000").json["pagination"]["per_page"] == 100


def test_status_filters(alice: Person, make) -> None:
    made = {status: make(alice, status=status) for status in RecordingStatus}
    for word, statuses in {
        "pending": ["PENDING"],
        "processing": ["PROCESSING", "SUMMARIZING"],
        "Completed": ["COMPLETED"],
        "failed": ["FAILED"],
        "all": list(RecordingStatus),
        "bogus": list(RecordingStatus),
    }.items():
        found = ids(alice.get(f"/api/v1/recordings?status={word}"))
        assert sorted(found) == sorted(made[RecordingStatus(status)] for status in statuses)


def test_date_filters_include_the_last_day(alice: Person, make) -> None:
    made = [make(alice, created_at=datetime(2024, 1, day, 15, tzinfo=UTC)) for day in (14, 15, 16)]
    assert ids(alice.get("/api/v1/recordings?date_from=2024-01-15")) == [made[2], made[1]]
    assert ids(alice.get("/api/v1/recordings?date_to=2024-01-15")) == [made[1], made[0]]
    assert ids(
        alice.get("/api/v1/recordings?date_from=2024-01-15T15:00:00Z&date_to=2024-01-15T15:00:00Z")
    ) == [made[1]]
    assert ids(
        alice.get(
            "/api/v1/recordings?date_from=2024-01-15T17:00:00+02:00&date_to=2024-01-15T17:00:00%2B02:00"
        )
    ) == [made[1]]


def test_text_is_sought_in_title_and_participants_and_wildcards_are_letters(alice: Person, make) -> None:
    percent = make(alice, title="Grown by 100% in May")
    people = make(alice, title="x", participants="Ann, Bob_2")
    assert ids(alice.get("/api/v1/recordings?q=100%25")) == [percent]
    assert ids(alice.get("/api/v1/recordings?q=%25")) == [percent]
    assert ids(alice.get("/api/v1/recordings?search=ANN")) == [people]
    assert ids(alice.get("/api/v1/recordings?q=b_2")) == [people]
    assert ids(alice.get("/api/v1/recordings?q=_")) == [people]


def test_flags_tags_and_folders(app: Flask, alice: Person, bob: Person, make) -> None:
    with unit_of_work() as session:
        session.add_all(
            [
                Tag(id=1, user_id=alice.id, name="Work"),
                Folder(id=1, user_id=alice.id, name="F"),
                Tag(id=2, user_id=bob.id, name="Work"),
            ]
        )
    tagged = make(alice, is_inbox=False, is_highlighted=True, folder_id=1)
    plain = make(alice)
    with unit_of_work() as session:
        session.add(RecordingTag(recording_id=tagged, tag_id=1, position=1))
    assert ids(alice.get("/api/v1/recordings?inbox=true")) == [plain]
    assert ids(alice.get("/api/v1/recordings?starred=1")) == [tagged]
    assert ids(alice.get("/api/v1/recordings?tag_id=1")) == [tagged]
    assert ids(alice.get("/api/v1/recordings?tag=Work")) == [tagged]
    assert ids(alice.get("/api/v1/recordings?tag_id=2")) == []
    assert alice.get("/api/v1/recordings?folder_id=1").json["code"] == "folders_disabled"
    with unit_of_work():
        system_settings.put("enable_folders", value=True)
    assert ids(alice.get("/api/v1/recordings?folder_id=1")) == [tagged]
    assert ids(alice.get("/api/v1/recordings?folder_id=None")) == [plain]


@pytest.mark.parametrize("number", [1, 50])
def test_a_list_asks_the_database_a_fixed_number_of_questions(
    app: Flask, alice: Person, make, number: int
) -> None:
    for _ in range(number):
        make(alice)
    alice.get("/api/v1/recordings")
    asked: list[str] = []

    def note(_c, _cursor, statement, *_rest) -> None:
        asked.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        assert len(ids(alice.get("/api/v1/recordings?per_page=100"))) == number
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    selects = [statement for statement in asked if statement.lstrip().upper().startswith("SELECT")]
    assert len(selects) == 4
    assert not any("segments" in statement or "recordings.summary" in statement for statement in selects)


# -- one


def test_the_detail_shows_what_was_asked_for(app: Flask, alice: Person, make) -> None:
    made = make(alice, notes="n", summary="s", has_summary=True, has_transcription=True)
    with unit_of_work() as session:
        session.add(
            Segment(
                recording_id=made, position=0, start=0, end=1, speaker="SPEAKER_00", text="Hello.", words=[]
            )
        )
        session.add(
            CalendarEvent(recording_id=made, title="Review", start_at=datetime(2024, 1, 22, 10, tzinfo=UTC))
        )
    full = alice.get(f"/api/v1/recordings/{made}").json
    assert (full["transcription"], full["summary"], full["notes"]) == ("[SPEAKER_00]: Hello.", "s", "n")
    assert full["events"][0]["start_datetime"] == "2024-01-22T10:00:00Z"
    assert "has_transcription" not in full
    minimal = alice.get(f"/api/v1/recordings/{made}?format=minimal").json
    assert not {"transcription", "summary", "notes"} & set(minimal)
    some = alice.get(f"/api/v1/recordings/{made}?include=summary,bogus").json
    assert "summary" in some
    assert not {"transcription", "notes"} & set(some)


@pytest.mark.parametrize("path", ["", "/status", "/transcript", "/summary", "/notes", "/audio", "/live"])
def test_recordings_of_others_are_not_there(alice: Person, bob: Person, make, path: str) -> None:
    made = make(bob, has_transcription=True)
    answer = alice.get(f"/api/v1/recordings/{made}{path}")
    assert (answer.status_code, answer.json["error"]) == (404, "Recording not found")
    assert answer.json["code"] == alice.get(f"/api/v1/recordings/2147483647{path}").json["code"]


def test_recordings_of_others_cannot_be_changed(alice: Person, bob: Person, make) -> None:
    made = make(bob)
    assert alice.patch(f"/api/v1/recordings/{made}", json={"title": "mine"}).status_code == 404
    assert alice.put(f"/api/v1/recordings/{made}/notes", json={"notes": "x"}).status_code == 404
    assert alice.post(f"/api/v1/recordings/{made}/transcribe").status_code == 404
    assert alice.post(f"/api/v1/recordings/{made}/summarize").status_code == 404
    assert alice.delete(f"/api/v1/recordings/{made}").status_code == 404
    assert bob.get(f"/api/v1/recordings/{made}").json["title"] == "A title"


@pytest.mark.parametrize("bad", ["0", "-1", "x", "1.5", "9" * 19, "9" * 40, "%00", "1%20"])
def test_ids_that_cannot_be(alice: Person, bad: str) -> None:
    assert alice.get(f"/api/v1/recordings/{bad}").status_code == 404


def test_patch_changes_and_records_an_event(alice: Person, make) -> None:
    made = make(alice)
    changes = {
        "is_highlighted": True,
        "title": "New",
        "summary": "S",
        "meeting_date": "2024-01-15T09:00:00Z",
        "unknown": 1,
    }
    answer = alice.patch(f"/api/v1/recordings/{made}", json=changes)
    assert answer.json["success"] is True
    assert answer.json["recording"] == {
        "id": made,
        "title": "New",
        "participants": None,
        "notes": None,
        "summary": "S",
        "meeting_date": "2024-01-15T09:00:00Z",
        "is_inbox": True,
        "is_highlighted": True,
        "folder_id": None,
        "deletion_exempt": False,
    }
    update = db.session.scalars(select(Event)).one()
    assert update.data["fields_changed"] == ["title", "summary", "meeting_date", "is_highlighted"]
    assert alice.get(f"/api/v1/recordings/{made}/summary").json == {
        "summary": "S",
        "has_summary": True,
        "sources": [],
        "coverage": None,
        "stale": False,
    }
    alice.patch(f"/api/v1/recordings/{made}", json={"summary": None, "meeting_date": "", "note": "via alias"})
    assert alice.get(f"/api/v1/recordings/{made}/summary").json == {
        "summary": None,
        "has_summary": False,
        "sources": [],
        "coverage": None,
        "stale": False,
    }
    assert alice.get(f"/api/v1/recordings/{made}/notes").json == {"notes": "via alias", "has_notes": True}


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"title": {}}, "title"),
        ({"title": 5}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": None}, "title"),
        ({"meeting_date": 5}, "meeting_date"),
        ({"meeting_date": "soon"}, "meeting_date"),
        ({"is_inbox": "false"}, "is_inbox"),
        ({"is_inbox": 1}, "is_inbox"),
        ({"folder_id": "x"}, "folder_id"),
        ({"folder_id": 2**63}, "folder_id"),
        ({"folder_id": True}, "folder_id"),
        ({"notes": ["a"]}, "notes"),
        ({"notes": "x" * 1_000_001}, "notes"),
    ],
)
def test_wrong_types_are_named(alice: Person, make, body: dict, field: str) -> None:
    answer = alice.patch(f"/api/v1/recordings/{make(alice)}", json=body)
    assert answer.status_code == 400
    assert field in answer.json["errors"]


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    "body", [b"[]", b"[1]", b'"x"', b"5", b"null", b"{", b"\xff\xfe", b'{"title": "\\ud800"}', b"{}", b""]
)
def test_bodies_that_are_no_objects(alice: Person, make, body: bytes) -> None:
    answer = alice.patch(f"/api/v1/recordings/{make(alice)}", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json["error"]


def test_json_without_a_content_type_is_read_and_other_types_are_415(alice: Person, make) -> None:
    made = make(alice)
    assert alice.patch(f"/api/v1/recordings/{made}", data=b'{"title": "n"}').status_code == 200
    assert (
        alice.patch(f"/api/v1/recordings/{made}", data=b"title=n", content_type="text/plain").status_code
        == 415
    )


def test_folders_need_the_feature_and_to_be_ours(app: Flask, alice: Person, bob: Person, make) -> None:
    with unit_of_work() as session:
        session.add_all([Folder(id=1, user_id=alice.id, name="F"), Folder(id=2, user_id=bob.id, name="F")])
    made = make(alice)
    path = f"/api/v1/recordings/{made}"
    assert alice.patch(path, json={"folder_id": 1}).json["error"] == "Folders feature is not enabled"
    with unit_of_work():
        system_settings.put("enable_folders", value=True)
    assert alice.patch(path, json={"folder_id": 1}).json["recording"]["folder_id"] == 1
    assert alice.patch(path, json={"folder_id": 2}).json["error"] == "Folder 2 not found"
    assert alice.patch(path, json={"folder_id": None}).json["recording"]["folder_id"] is None


def test_notes_and_summary_are_replaced(alice: Person, make) -> None:
    made = make(alice)
    assert alice.put(f"/api/v1/recordings/{made}/notes", json={"notes": "N"}).json == {
        "success": True,
        "notes": "N",
    }
    assert alice.put(f"/api/v1/recordings/{made}/summary", json={"summary": "S"}).json == {
        "success": True,
        "summary": "S",
    }
    assert "notes field required" in alice.put(f"/api/v1/recordings/{made}/notes", json={}).json["error"]
