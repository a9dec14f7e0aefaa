"""Tags, and tags on recordings."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.library import Library, check, check_error
from tests.contract.shapes import Maybe, unlike

TAG: dict[str, Any] = {
    "id": 1,
    "name": "Work Meetings",
    "color": "#3B82F6",
    "is_group_tag": False,
    "group_id": None,
    "custom_prompt": "Focus on action items...",
    "default_language": "en",
    "default_min_speakers": 2,
    "default_max_speakers": 10,
    "protect_from_deletion": False,
    "can_edit": True,
}
UNTOLD = ("custom_prompt", "default_language", "default_min_speakers", "default_max_speakers")
LISTED = TAG | {"group_id": Maybe(1)} | {name: Maybe(TAG[name]) for name in UNTOLD}
NEW: dict[str, Any] = {
    "name": "Interviews",
    "color": "#10B981",
    "custom_prompt": "Extract candidate qualifications...",
    "default_language": "en",
    "default_min_speakers": 2,
    "default_max_speakers": 3,
    "group_id": None,
}
R = "/recordings/{recording}/tags"


def test_the_list(library: Library) -> None:
    body = check(library, "GET", "/tags", None, 200, {"tags": [LISTED]})
    assert unlike(TAG, body["tags"][0]) == []
    assert [(tag["name"], tag["is_group_tag"], tag["can_edit"]) for tag in body["tags"]] == [
        ("Own tag", False, True),
        ("Group tag", True, True),
    ]
    of_bob = library.make("GET", "/tags", as_="bob")["tags"]
    assert [(tag["name"], tag["can_edit"]) for tag in of_bob] == [("Bob's", True), ("Group tag", False)]


def test_a_new_tag_as_documented(library: Library) -> None:
    body = check(library, "POST", "/tags", NEW, 201, TAG)
    assert {name: body[name] for name in NEW} == NEW


def test_a_new_tag_with_only_a_name(library: Library) -> None:
    body = check(library, "POST", "/tags", {"name": "Plain"}, 201, TAG | dict.fromkeys(UNTOLD))
    assert (body["color"], body["protect_from_deletion"]) == ("#3B82F6", False)


def test_a_new_tag_of_a_group(library: Library) -> None:
    body = check(
        library,
        "POST",
        "/tags",
        {**NEW, "group_id": "{group}"},
        201,
        TAG | {"is_group_tag": True, "group_id": 1},
    )
    assert body["is_group_tag"] is True


def test_a_change(library: Library) -> None:
    after = {"success": True, "tag": {name: TAG[name] for name in TAG if name != "group_id"}}
    changes = {"name": "Renamed", "color": "#000000", "custom_prompt": "New", "protect_from_deletion": True}
    body = check(library, "PUT", "/tags/{tag}", changes, 200, after)
    assert {name: body["tag"][name] for name in changes} == changes
    assert body["tag"]["default_language"] == "en"


def test_deleting_takes_it_off_all_recordings(library: Library) -> None:
    check(library, "DELETE", "/tags/{tag}", None, 200, {"success": True, "message": "Tag deleted"})
    assert library.make("GET", "/recordings/{recording}")["tags"] == []


@pytest.mark.parametrize(
    ("body", "added", "errors"),
    [
        ({"tag_ids": ["{tag}", "{group_tag}"]}, ["Group tag"], None),
        ({"tag_id": "{group_tag}"}, ["Group tag"], None),
        ({"tag_ids": ["{tag}"]}, [], None),
        ({"tag_ids": ["{nobody}", "{group_tag}"]}, ["Group tag"], ["Tag {nobody} not found"]),
        # Documented as "No access to tag": a tag of another user gives the same answer as a missing one.
        ({"tag_ids": ["{bobs_tag}"]}, [], ["Tag {bobs_tag} not found"]),
    ],
)
def test_putting_tags_on(library: Library, body: Any, added: list[str], errors: list[str] | None) -> None:
    shape = {"success": True, "added_tags": [{"id": 1, "name": "a"}] if added else [], "errors": Maybe(["a"])}
    answer = check(library, "POST", R, body, 200, shape)
    assert [tag["name"] for tag in answer["added_tags"]] == added
    wanted = None if errors is None else [error.format_map(library.ids) for error in errors]
    assert answer["errors"] == wanted


def test_taking_a_tag_off(library: Library) -> None:
    check(library, "DELETE", f"{R}/{{tag}}", None, 200, {"success": True, "message": "Tag removed"})
    check_error(library, "DELETE", f"{R}/{{tag}}", None, 404, "Tag not on this recording")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "sentence"),
    [
        ("POST", "/tags", {}, 400, "Tag name is required"),
        ("POST", "/tags", {"name": "  "}, 400, "Tag name is required"),
        ("POST", "/tags", {"name": "Own tag"}, 400, "Tag with this name already exists"),
        (
            "POST",
            "/tags",
            {"name": "Group tag", "group_id": "{group}"},
            400,
            "Tag with this name already exists for this group",
        ),
        ("PUT", "/tags/{nobody}", {"name": "x"}, 404, "Tag not found"),
        ("PUT", "/tags/{bobs_tag}", {"name": "x"}, 404, "Tag not found"),
        ("DELETE", "/tags/{nobody}", None, 404, "Tag not found"),
        ("POST", R, {}, 400, "tag_ids or tag_id required"),
        ("POST", "/recordings/{nobody}/tags", {"tag_id": "{tag}"}, 404, "Recording not found"),
        ("POST", "/recordings/{bobs}/tags", {"tag_id": "{tag}"}, 404, "Recording not found"),
        ("DELETE", f"{R}/{{group_tag}}", None, 404, "Tag not on this recording"),
    ],
)
def test_errors(library: Library, method: str, path: str, body: Any, status: int, sentence: str) -> None:
    check_error(library, method, path, body, status, sentence)


@pytest.mark.parametrize(
    ("method", "path", "body", "sentence"),
    [
        ("POST", "/tags", {"name": "x", "group_id": "{group}"}, "Only group admins can create group tags"),
        ("PUT", "/tags/{group_tag}", {"name": "x"}, "Only group admins can edit group tags"),
        ("DELETE", "/tags/{group_tag}", None, "Only group admins can edit group tags"),
    ],
)
def test_what_only_admins_of_the_group_may_do(
    library: Library, method: str, path: str, body: Any, sentence: str
) -> None:
    check_error(library, method, path, body, 403, sentence, as_="bob")


def test_a_tag_cannot_take_the_name_of_another(library: Library) -> None:
    library.make("POST", "/tags", {"name": "Taken"})
    check_error(library, "PUT", "/tags/{tag}", {"name": "Taken"}, 400, "Tag with this name already exists")
