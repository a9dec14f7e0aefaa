"""Recordings: lists, details, texts, status, changes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.library import Library, check, check_error
from tests.contract.shapes import MOMENT, STATUS, Maybe, unlike

BASE: dict[str, Any] = {
    "id": 1,
    "title": "a title",
    "status": STATUS,
    "created_at": MOMENT,
    "completed_at": MOMENT,
    "meeting_date": MOMENT,
    "file_size": 1,
    "original_filename": "a.mp3",
    "participants": "a list",
    "is_inbox": False,
    "is_highlighted": True,
    "audio_available": True,
    "audio_duration": 1.5,
    "processing_time_seconds": 1.5,
    "transcription_duration_seconds": 1.5,
    "summarization_duration_seconds": 1.5,
    "folder_id": 1,
    "folder": {"id": 1, "name": "a name"},
    "deletion_exempt": False,
    "error_message": None,
    "keep_audio_only": False,
    "tags": [{"id": 1, "name": "a name", "color": "#3B82F6"}],
}
WAITING = BASE | {
    "completed_at": None,
    "participants": Maybe("a list"),
    "audio_duration": Maybe(1.5),
    "processing_time_seconds": Maybe(1.5),
    "transcription_duration_seconds": Maybe(1.5),
    "summarization_duration_seconds": Maybe(1.5),
    "folder_id": None,
    "folder": None,
    "tags": [],
}
"""Null is documented for what has not happened yet."""

EVENT = {
    "id": 1,
    "title": "a title",
    "start_datetime": MOMENT,
    "end_datetime": MOMENT,
    "description": "a text",
    "location": "a place",
}
DETAIL = BASE | {
    "mime_type": "audio/mpeg",
    "events": [EVENT],
    "duplicate_info": None,
    "transcription": "a text",
    "summary": "a text",
    "notes": "a text",
}
PAGINATION = {
    "page": 1,
    "per_page": 1,
    "total": 1,
    "total_pages": 1,
    "has_next": True,
    "has_prev": False,
}
TEXTS = {"has_transcription": True, "has_summary": True}
CHANGES = {
    "title": "Another title",
    "participants": "Ann, Ben, Cem",
    "notes": "Other notes",
    "summary": "Another summary",
    "meeting_date": MOMENT,
    "is_inbox": False,
    "is_highlighted": True,
    "folder_id": "{group_folder}",
}
R = "/recordings/{recording}"


def test_the_list(library: Library) -> None:
    body = library.make("GET", "/recordings?folder_id={folder}")
    assert unlike({"recordings": [BASE | TEXTS], "pagination": PAGINATION}, body) == []
    body = library.make("GET", "/recordings?folder_id=none")
    assert unlike({"recordings": [WAITING | TEXTS], "pagination": PAGINATION}, body) == []
    assert [item["title"] for item in body["recordings"]] == ["Without its audio", "Waiting"]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("page=1&per_page=2", 2),
        ("page=2&per_page=2", 1),
        ("status=all", 3),
        ("status=completed", 1),
        ("status=pending", 2),
        ("status=processing", 0),
        ("status=failed", 0),
        *(
            (f"sort_by={name}&sort_order=asc", 3)
            for name in ("created_at", "meeting_date", "title", "file_size")
        ),
        ("date_from=2020-01-01&date_to=2999-12-31T23:59:59Z", 3),
        ("date_to=2020-01-01", 0),
        ("tag_id={tag}", 1),
        ("q=waiting", 1),
        ("q=ben", 1),
        ("inbox=true", 3),
        ("inbox=false", 0),
        ("starred=true", 1),
        ("folder_id={folder}", 1),
        ("folder_id=none", 2),
    ],
)
def test_the_documented_parameters_of_the_list(library: Library, query: str, count: int) -> None:
    assert len(library.make("GET", f"/recordings?{query}")["recordings"]) == count


DETAILS: list[tuple[str, Any]] = [
    ("", DETAIL),
    ("?format=full", DETAIL),
    ("?include=transcription,summary,notes", DETAIL),
]


@pytest.mark.parametrize(("query", "example"), DETAILS)
def test_the_details(library: Library, query: str, example: Any) -> None:
    check(library, "GET", f"{R}{query}", None, 200, example)


@pytest.mark.parametrize(
    ("query", "texts"),
    [("?format=minimal", set()), ("?include=summary", {"summary"}), ("?include=notes,nothing", {"notes"})],
)
def test_texts_that_were_not_asked_for_are_absent(library: Library, query: str, texts: set[str]) -> None:
    body = library.make("GET", f"{R}{query}")
    assert set(body) & {"transcription", "summary", "notes"} == texts


def test_the_details_of_one_that_waits_and_of_a_copy(library: Library, upload: Any) -> None:
    from tests.conftest import wav

    texts = {"transcription": None, "summary": None, "notes": None}
    check(library, "GET", "/recordings/{waiting}", None, 200, WAITING | texts | {"events": []})
    library.ids["copy"] = upload(library.people["alice"], wav(0.3)).json["id"]
    copy = {"id": 1, "title": "a title", "created_at": MOMENT, "is_self": True}
    body = library.make("GET", "/recordings/{copy}")
    assert unlike({"total_copies": 2, "copies": [copy]}, body["duplicate_info"]) == []


@pytest.mark.parametrize(
    ("path", "example"),
    [
        (
            f"{R}/transcript",
            {
                "format": "json",
                "segments": [{"speaker": "a", "sentence": "b", "start_time": 1.5, "end_time": 1.5}],
            },
        ),
        *(
            (f"{R}/transcript?format={name}", {"format": name, "content": "a"})
            for name in ("text", "srt", "vtt")
        ),
        (f"{R}/transcript?format=SRT", {"format": "srt", "content": "a"}),
        (f"{R}/summary", {"summary": "a", "has_summary": True}),
        ("/recordings/{waiting}/summary", {"summary": None, "has_summary": False}),
        (f"{R}/notes", {"notes": "a", "has_notes": True}),
        ("/recordings/{waiting}/notes", {"notes": None, "has_notes": False}),
        (
            f"{R}/status",
            {
                "id": 1,
                "status": STATUS,
                "queue_position": None,
                "error_message": None,
                "completed_at": MOMENT,
            },
        ),
        (
            "/recordings/{waiting}/status",
            {"id": 1, "status": STATUS, "queue_position": 1, "error_message": None, "completed_at": None},
        ),
        ("/recordings/{waiting}/events", {"events": []}),
        (f"{R}/events", {"events": [EVENT]}),
    ],
)
def test_texts_status_and_events(library: Library, path: str, example: Any) -> None:
    check(library, "GET", path, None, 200, example)


def test_a_change_of_everything(library: Library) -> None:
    after = {**dict.fromkeys(("title", "participants", "notes", "summary"), "a"), "id": 1}
    after |= {"meeting_date": MOMENT, "is_inbox": False, "is_highlighted": True, "folder_id": 1}
    check(library, "PATCH", R, CHANGES, 200, {"success": True, "recording": after})
    body = library.make("PATCH", R, {"folder_id": None, "meeting_date": None})["recording"]
    assert (body["folder_id"], body["meeting_date"]) == (None, None)


@pytest.mark.parametrize(
    ("method", "path", "body", "example"),
    [
        ("PUT", f"{R}/notes", {"notes": "Other"}, {"success": True, "notes": "a"}),
        ("PUT", f"{R}/summary", {"summary": "Other"}, {"success": True, "summary": "a"}),
        ("DELETE", R, None, {"success": True, "message": "Recording deleted"}),
        (
            "POST",
            f"{R}/regenerate_title",
            None,
            {"success": True, "title": "a", "recording": {"id": 1, "title": "a"}},
        ),
    ],
)
def test_other_writes(library: Library, method: str, path: str, body: Any, example: Any) -> None:
    check(library, method, path, body, 200, example)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "sentence"),
    [
        *(
            (method, f"/recordings/{{{which}}}{rest}", body, 404, "Recording not found")
            for which in ("nobody", "bobs")
            for method, rest, body in (
                ("GET", "", None),
                ("GET", "/status", None),
                ("GET", "/transcript", None),
                ("GET", "/summary", None),
                ("GET", "/notes", None),
                ("PATCH", "", {"title": "x"}),
                ("PUT", "/notes", {"notes": "x"}),
                ("DELETE", "", None),
            )
        ),
        ("GET", "/recordings/{waiting}/transcript", None, 404, "No transcription available"),
        ("GET", f"{R}/transcript?format=doc", None, 400, "Unknown format: doc"),
        ("PATCH", R, {}, 400, "No data provided"),
        ("PATCH", R, {"folder_id": "{nobody}"}, 404, "Folder {nobody} not found"),
        # Documented as 403; a folder that the caller may not see gives the same answer as a missing one.
        ("PATCH", R, {"folder_id": "{bobs_folder}"}, 404, "Folder {bobs_folder} not found"),
        ("PUT", f"{R}/notes", {}, 400, "notes field required"),
        ("PUT", f"{R}/summary", {}, 400, "summary field required"),
        ("PATCH", "/recordings/{shared}", {"title": "x"}, 403, "Permission denied"),
        ("PUT", "/recordings/{shared}/summary", {"summary": "x"}, 403, "Permission denied"),
        ("DELETE", "/recordings/{shared}", None, 403, "Permission denied - only the owner can do this"),
        ("POST", "/recordings/{waiting}/regenerate_title", None, 400, "No transcription available"),
    ],
)
def test_errors(library: Library, method: str, path: str, body: Any, status: int, sentence: str) -> None:
    check_error(library, method, path, body, status, sentence)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("2024-01-15T09:00:00Z", "2024-01-15T09:00:00Z"),
        ("2024-01-15T09:00:00.123456", "2024-01-15T09:00:00Z"),
        ("2024-01-15T10:00:00+01:00", "2024-01-15T09:00:00Z"),
        ("2024-01-15", "2024-01-15T00:00:00Z"),
        ("", None),
    ],
)
def test_times_are_accepted_in_many_forms(library: Library, given: str, shown: str | None) -> None:
    assert library.make("PATCH", R, {"meeting_date": given})["recording"]["meeting_date"] == shown
    assert library.make("GET", R)["meeting_date"] == shown


@pytest.mark.parametrize("wrong", ["yesterday", 5, {}, True])
def test_a_wrong_meeting_date(library: Library, wrong: Any) -> None:
    answer = library.ask("PATCH", R, {"meeting_date": wrong})
    assert answer.status_code == 400
    assert set(answer.json["errors"]) == {"meeting_date"}


def test_fields_that_cannot_be_changed_are_refused(library: Library) -> None:
    answer = library.ask("PATCH", R, {"title": "New", "keep_audio_only": True})
    assert answer.status_code == 400
    assert "keep_audio_only" in answer.json["error"]
    assert library.make("GET", R)["title"] != "New"


def test_deletion_can_be_for_admins(library: Library) -> None:
    library.make("PATCH", "/admin/settings", {"users_can_delete": False}, as_="root")
    check_error(library, "DELETE", R, None, 403, "Deletion not allowed")


def test_folders_that_are_off(library: Library) -> None:
    library.make("PATCH", "/admin/settings", {"enable_folders": False}, as_="root")
    for method, path, body in (
        ("GET", "/recordings?folder_id=none", None),
        ("PATCH", R, {"folder_id": None}),
    ):
        check_error(library, method, path, body, 403, "Folders feature is not enabled")
