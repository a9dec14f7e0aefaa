"""Folders."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.library import Library, check, check_error
from tests.contract.shapes import MOMENT, Maybe, unlike

FOLDER: dict[str, Any] = {
    "id": 5,
    "name": "Client Calls",
    "color": "#10B981",
    "group_id": None,
    "is_group_folder": False,
    "group_name": None,
    "custom_prompt": "Focus on action items...",
    "default_language": "en",
    "default_min_speakers": 2,
    "default_max_speakers": 5,
    "default_hotwords": None,
    "default_initial_prompt": None,
    "default_transcription_model": None,
    "protect_from_deletion": False,
    "retention_days": None,
    "auto_share_on_apply": True,
    "share_with_group_lead": True,
    "naming_template_id": None,
    "naming_template_name": None,
    "export_template_id": None,
    "export_template_name": None,
    "created_at": MOMENT,
    "recording_count": 12,
    "can_edit": True,
    "user_role": None,
}
NEW: dict[str, Any] = {
    "name": "Client Calls",
    "color": "#10B981",
    "group_id": None,
    "custom_prompt": "Focus on action items...",
    "default_language": "en",
    "default_min_speakers": 2,
    "default_max_speakers": 5,
    "default_hotwords": "Acme, Speakr",
    "default_initial_prompt": "Sales call.",
    "default_transcription_model": "gpt-4o-transcribe-diarize",
    "retention_days": None,
}
PLAIN = FOLDER | dict.fromkeys(
    ("custom_prompt", "default_language", "default_min_speakers", "default_max_speakers")
)
OF_GROUP = PLAIN | {"group_id": 3, "group_name": "Engineering", "user_role": "admin"}


def test_the_list(library: Library) -> None:
    own, of_group = library.make("GET", "/folders")
    assert unlike(FOLDER, own) == []
    assert unlike(OF_GROUP, of_group) == []
    assert (own["name"], own["recording_count"], own["is_group_folder"]) == ("Own folder", 1, False)
    assert (of_group["group_name"], of_group["is_group_folder"], of_group["user_role"]) == (
        "Group",
        True,
        "admin",
    )
    [_, of_group] = library.make("GET", "/folders", as_="bob")
    assert (of_group["can_edit"], of_group["user_role"]) == (False, "member")


def test_the_defaults_of_a_new_folder(library: Library) -> None:
    body = check(library, "POST", "/folders", {"name": "Plain"}, 201, PLAIN)
    assert (body["color"], body["auto_share_on_apply"], body["share_with_group_lead"]) == (
        "#10B981",
        True,
        True,
    )


def test_one_folder(library: Library) -> None:
    check(library, "GET", "/folders/{folder}", None, 200, FOLDER)
    check(library, "GET", "/folders/{group_folder}", None, 200, OF_GROUP, as_="bob")


def test_a_new_folder_as_documented(library: Library) -> None:
    defaults = ("default_hotwords", "default_initial_prompt", "default_transcription_model")
    body = check(library, "POST", "/folders", NEW, 201, FOLDER | dict.fromkeys(defaults, "a"))
    assert {name: body[name] for name in NEW} == NEW


def test_a_new_folder_of_a_group(library: Library) -> None:
    body = check(library, "POST", "/folders", {"name": "New", "group_id": "{group}"}, 201, OF_GROUP)
    assert body["group_id"] == library.ids["group"]


def test_a_folder_that_is_never_emptied(library: Library) -> None:
    body = library.make("POST", "/folders", {"name": "Safe", "retention_days": -1})
    assert body["protect_from_deletion"] is True


def test_names_of_templates_are_shown(library: Library) -> None:
    templates = {
        kind: library.make("POST", "/templates", {"name": f"The {kind} one", "kind": kind, "body": "text"})
        for kind in ("naming", "export")
    }
    ids = {f"{kind}_template_id": template["id"] for kind, template in templates.items()}
    body = check(
        library,
        "PATCH",
        "/folders/{folder}",
        ids,
        200,
        FOLDER
        | {f"{kind}_template_id": 1 for kind in ("naming", "export")}
        | {f"{kind}_template_name": "a" for kind in ("naming", "export")},
    )
    assert (body["naming_template_name"], body["export_template_name"]) == (
        "The naming one",
        "The export one",
    )


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_change(library: Library, method: str) -> None:
    changes = {"name": "Renamed", "color": "#000000", "default_language": None}
    body = check(library, method, "/folders/{folder}", changes, 200, FOLDER | {"default_language": None})
    assert {name: body[name] for name in changes} == changes
    assert body["custom_prompt"] == "Be brief."


def test_moving_into_a_group_and_back(library: Library) -> None:
    moved = OF_GROUP | {name: Maybe(FOLDER[name]) for name in FOLDER if PLAIN[name] is None and FOLDER[name]}
    body = check(library, "PATCH", "/folders/{folder}", {"group_id": "{group}"}, 200, moved)
    assert (body["is_group_folder"], body["user_role"]) == (True, "admin")
    check(library, "PATCH", "/folders/{folder}", {"group_id": None}, 200, FOLDER)


def test_deleting_unfiles(library: Library) -> None:
    body = check(library, "DELETE", "/folders/{folder}", None, 200, {"success": True})
    assert body == {"success": True}
    assert library.make("GET", "/recordings/{recording}")["folder_id"] is None


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "sentence"),
    [
        ("POST", "/folders", {}, 400, "Folder name is required"),
        ("POST", "/folders", {"name": " "}, 400, "Folder name is required"),
        ("POST", "/folders", {"name": "Own folder"}, 400, "Folder with this name already exists"),
        (
            "POST",
            "/folders",
            {"name": "Group folder", "group_id": "{group}"},
            400,
            "A folder with this name already exists for this group",
        ),
        ("PATCH", "/folders/{folder}", {"name": ""}, 400, "Folder name is required"),
        ("GET", "/folders/{nobody}", None, 404, "Folder not found"),
        # Documented as 403; a folder that the caller may not see gives the same answer as a missing one.
        ("GET", "/folders/{bobs_folder}", None, 404, "Folder not found"),
        ("PATCH", "/folders/{bobs_folder}", {"name": "x"}, 404, "Folder not found"),
        ("DELETE", "/folders/{bobs_folder}", None, 404, "Folder not found"),
        (
            "POST",
            "/folders",
            {"name": "x", "naming_template_id": "{nobody}"},
            404,
            "Naming template {nobody} not found",
        ),
        (
            "POST",
            "/folders",
            {"name": "x", "export_template_id": "{nobody}"},
            404,
            "Export template {nobody} not found",
        ),
    ],
)
def test_errors(library: Library, method: str, path: str, body: Any, status: int, sentence: str) -> None:
    check_error(library, method, path, body, status, sentence)


def test_a_folder_cannot_take_the_name_of_another(library: Library) -> None:
    library.make("POST", "/folders", {"name": "Taken"})
    sentence = "Another folder with this name already exists"
    check_error(library, "PATCH", "/folders/{folder}", {"name": "Taken"}, 400, sentence)


@pytest.mark.parametrize(
    ("method", "path", "body", "sentence"),
    [
        (
            "POST",
            "/folders",
            {"name": "x", "group_id": "{group}"},
            "Only group admins can create group folders",
        ),
        ("PATCH", "/folders/{group_folder}", {"name": "x"}, "Only group admins can edit group folders"),
        ("DELETE", "/folders/{group_folder}", None, "Only group admins can edit group folders"),
    ],
)
def test_what_only_admins_of_the_group_may_do(
    library: Library, method: str, path: str, body: Any, sentence: str
) -> None:
    check_error(library, method, path, body, 403, sentence, as_="bob")


def test_folders_that_are_off(library: Library) -> None:
    library.make("PATCH", "/admin/settings", {"enable_folders": False}, as_="root")
    assert library.make("GET", "/folders") == []
    for method, path, body in (
        ("POST", "/folders", {"name": "x"}),
        ("PATCH", "/folders/{folder}", {"name": "x"}),
        ("PUT", "/folders/{folder}", {"name": "x"}),
        ("DELETE", "/folders/{folder}", None),
    ):
        check_error(library, method, path, body, 403, "Folders feature is not enabled")
    check(library, "GET", "/folders/{folder}", None, 200, FOLDER)
