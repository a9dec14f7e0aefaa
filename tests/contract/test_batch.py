"""The same for many recordings at once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.library import Library, check, check_error
from tests.contract.shapes import unlike

ALL = ["{recording}", "{waiting}", "{silent}"]
MIXED = ["{recording}", "{nobody}", "{bobs}", "{shared}", "{silent}"]
DONE = {"id": 1, "success": True}
REFUSED = {"id": 1, "success": False, "error": "a sentence"}
CHANGES = {
    "is_inbox": False,
    "is_highlighted": True,
    "add_tag_ids": ["{group_tag}"],
    "remove_tag_ids": ["{tag}"],
    "folder_id": "{group_folder}",
}


def outcome(done: str) -> dict[str, Any]:
    return {"success": True, done: 3, "failed": 0, "results": [DONE]}


def test_an_update(library: Library) -> None:
    body = {"recording_ids": ALL, "updates": CHANGES}
    answer = check(library, "PATCH", "/recordings/batch", body, 200, outcome("updated"))
    ids = [library.ids[name.strip("{}")] for name in ALL]
    assert answer == {
        "success": True,
        "updated": 3,
        "failed": 0,
        "results": [{"id": number, "success": True} for number in ids],
    }
    shown = library.make("GET", "/recordings/{recording}")
    assert (shown["is_inbox"], shown["is_highlighted"]) == (False, True)
    assert ([tag["name"] for tag in shown["tags"]], shown["folder"]["name"]) == (
        ["Group tag"],
        "Group folder",
    )


def test_an_update_that_unfiles(library: Library) -> None:
    library.make("PATCH", "/recordings/batch", {"recording_ids": ALL, "updates": {"folder_id": None}})
    assert library.make("GET", "/recordings/{recording}")["folder"] is None


def test_tags_of_others_are_passed_over(library: Library) -> None:
    updates = {"add_tag_ids": ["{bobs_tag}", "{nobody}"]}
    body = library.make("PATCH", "/recordings/batch", {"recording_ids": ["{waiting}"], "updates": updates})
    assert (body["updated"], body["failed"]) == (1, 0)
    assert library.make("GET", "/recordings/{waiting}")["tags"] == []


@pytest.mark.parametrize(
    ("method", "path", "more", "done", "errors"),
    [
        (
            "PATCH",
            "/recordings/batch",
            {"updates": {"is_inbox": False}},
            "updated",
            [None, "Not found", "Not found", "Permission denied", None],
        ),
        (
            "DELETE",
            "/recordings/batch",
            {},
            "deleted",
            [None, "Not found", "Not found", "Permission denied", None],
        ),
        (
            "POST",
            "/recordings/batch/transcribe",
            {},
            "queued",
            [None, "Not found", "Not found", "Permission denied", "Audio deleted"],
        ),
    ],
)
def test_each_succeeds_or_fails_by_itself(
    library: Library, method: str, path: str, more: Any, done: str, errors: list[str | None]
) -> None:
    answer = check(
        library,
        method,
        path,
        {"recording_ids": MIXED, **more},
        200,
        {"success": True, done: 1, "failed": 1, "results": []},
    )
    assert [result.get("error") for result in answer["results"]] == errors
    failed = [result for result in answer["results"] if not result["success"]]
    assert unlike([REFUSED], failed) == []
    assert (answer[done], answer["failed"]) == (len(errors) - len(failed), len(failed))
    assert [result["id"] for result in answer["results"]] == [library.ids[name.strip("{}")] for name in MIXED]


def test_a_deletion(library: Library) -> None:
    check(library, "DELETE", "/recordings/batch", {"recording_ids": ALL}, 200, outcome("deleted"))
    assert library.make("GET", "/recordings")["recordings"] == []


def test_an_admin_deletes_recordings_of_any_user(library: Library) -> None:
    body = {"recording_ids": ["{recording}", "{bobs}"]}
    answer = check(library, "DELETE", "/recordings/batch", body, 200, outcome("deleted"), as_="root")
    assert (answer["deleted"], answer["failed"]) == (2, 0)


def test_transcriptions(library: Library) -> None:
    body = {"recording_ids": ["{recording}", "{waiting}"]}
    shape = outcome("queued") | {"results": [DONE | {"job_id": "550e8400"}]}
    answer = check(library, "POST", "/recordings/batch/transcribe", body, 200, shape)
    assert (answer["queued"], answer["failed"]) == (2, 0)


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("PATCH", "/recordings/batch", {"updates": {"is_inbox": True}}),
        ("DELETE", "/recordings/batch", {}),
        ("POST", "/recordings/batch/transcribe", {}),
    ],
)
def test_recording_ids_are_required(library: Library, method: str, path: str, more: Any) -> None:
    for body in (more, {"recording_ids": [], **more}, {"recording_ids": 5, **more}):
        answer = library.ask(method, path, body)
        assert answer.status_code == 400
        assert set(answer.json["errors"]) == {"recording_ids"}
    assert library.ask(method, path, more).json["error"] == "recording_ids required"


@pytest.mark.parametrize(
    ("updates", "status", "sentence"),
    [
        ({}, 400, "No data provided"),
        ({"folder_id": "{nobody}"}, 404, "Folder {nobody} not found"),
        # Documented as 403; a folder that the caller may not see gives the same answer as a missing one.
        ({"folder_id": "{bobs_folder}"}, 404, "Folder {bobs_folder} not found"),
    ],
)
def test_errors(library: Library, updates: Any, status: int, sentence: str) -> None:
    body = {"recording_ids": ALL, "updates": updates}
    check_error(library, "PATCH", "/recordings/batch", body, status, sentence)


def test_folders_that_are_off(library: Library) -> None:
    library.make("PATCH", "/admin/settings", {"enable_folders": False}, as_="root")
    body = {"recording_ids": ALL, "updates": {"folder_id": None}}
    check_error(library, "PATCH", "/recordings/batch", body, 403, "Folders feature is not enabled")


def test_deletion_can_be_for_admins(library: Library) -> None:
    library.make("PATCH", "/admin/settings", {"users_can_delete": False}, as_="root")
    check_error(library, "DELETE", "/recordings/batch", {"recording_ids": ALL}, 403, "Deletion not allowed")
