"""Folders: enabled by an administrator, personal or of a group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from speakr.db import unit_of_work
from speakr.domain.permissions import GroupRole
from speakr.models import Group, GroupMembership
from speakr.services.system import system_settings
from tests.conftest import Person

Upload = Callable[..., Any]

KEYS = {
    "id", "name", "color", "group_id", "is_group_folder", "group_name", "custom_prompt", "default_language",
    "default_min_speakers", "default_max_speakers", "default_hotwords", "default_initial_prompt",
    "default_transcription_model", "protect_from_deletion", "retention_days", "auto_share_on_apply",
    "share_with_group_lead", "naming_template_id", "naming_template_name", "export_template_id",
    "export_template_name", "created_at", "recording_count", "can_edit", "user_role",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _folders_are_on(app: object) -> None:
    with unit_of_work():
        system_settings.put("enable_folders", value=True)


@pytest.fixture
def team(alice: Person, bob: Person) -> int:
    """A group of alice's with bob as a member."""
    with unit_of_work() as session:
        group = Group(name="team")
        session.add(group)
        session.flush()
        session.add_all(
            [
                GroupMembership(group_id=group.id, user_id=alice.id, role=GroupRole.ADMIN),
                GroupMembership(group_id=group.id, user_id=bob.id),
            ]
        )
        return group.id


def make(person: Person, name: str, **more: Any) -> dict[str, Any]:
    answer = person.post("/api/v1/folders", json={"name": name, **more})
    assert answer.status_code == 201, answer.json
    return answer.json


def test_a_folder_has_the_documented_keys(alice: Person, upload: Upload) -> None:
    folder = make(alice, "Client Calls", default_hotwords="Acme, Speakr", retention_days=30)
    assert set(folder) == KEYS
    assert (folder["color"], folder["user_role"], folder["can_edit"]) == ("#10B981", None, True)
    upload(alice, folder_id=folder["id"])
    assert alice.get("/api/v1/folders").json == [{**folder, "recording_count": 1}]
    assert alice.get(f"/api/v1/folders/{folder['id']}").json["recording_count"] == 1


def test_while_folders_are_off_there_are_none(alice: Person) -> None:
    folder = make(alice, "x")
    with unit_of_work():
        system_settings.put("enable_folders", value=False)
    assert alice.get("/api/v1/folders").json == []
    for answer in (
        alice.post("/api/v1/folders", json={"name": "y"}),
        alice.patch(f"/api/v1/folders/{folder['id']}", json={"name": "y"}),
        alice.put(f"/api/v1/folders/{folder['id']}", json={"name": "y"}),
        alice.delete(f"/api/v1/folders/{folder['id']}"),
        alice.get("/api/v1/recordings?folder_id=none"),
    ):
        assert (answer.status_code, answer.json["error"]) == (403, "Folders feature is not enabled")


def test_names(alice: Person, team: int) -> None:
    make(alice, "x")
    other = make(alice, "y")
    make(alice, "x", group_id=team)
    for body, sentence in (
        ({"name": ""}, "Folder name is required"),
        ({}, "Folder name is required"),
        ({"name": "x"}, "Folder with this name already exists"),
        ({"name": "x", "group_id": team}, "A folder with this name already exists for this group"),
    ):
        answer = alice.post("/api/v1/folders", json=body)
        assert (answer.status_code, answer.json["error"]) == (400, sentence)
    moved = alice.patch(f"/api/v1/folders/{other['id']}", json={"name": "x", "group_id": team})
    assert (moved.status_code, moved.json["code"]) == (400, "name_taken")
    assert alice.get(f"/api/v1/folders/{other['id']}").json == other
    renamed = alice.patch(f"/api/v1/folders/{other['id']}", json={"name": "x"})
    assert (renamed.status_code, renamed.json["error"]) == (
        400,
        "Another folder with this name already exists",
    )


def test_minus_one_day_is_for_ever(alice: Person) -> None:
    folder = make(alice, "x", retention_days=-1)
    assert (folder["retention_days"], folder["protect_from_deletion"]) == (None, True)


def test_a_groups_folder_is_seen_by_members_and_changed_by_admins(
    alice: Person, bob: Person, team: int, make_person: Callable[..., Person]
) -> None:
    folder = make(alice, "ours", group_id=team)
    (seen,) = bob.get("/api/v1/folders").json
    assert (seen["group_name"], seen["is_group_folder"], seen["can_edit"], seen["user_role"]) == (
        "team",
        True,
        False,
        "member",
    )
    refused = bob.patch(f"/api/v1/folders/{folder['id']}", json={"name": "mine"})
    assert (refused.status_code, refused.json["error"]) == (403, "Only group admins can edit group folders")
    other_user = make_person("carol")
    for answer in (
        other_user.get(f"/api/v1/folders/{folder['id']}"),
        other_user.patch(f"/api/v1/folders/{folder['id']}", json={"name": "z"}),
        other_user.delete(f"/api/v1/folders/{folder['id']}"),
    ):
        assert (answer.status_code, answer.json["error"]) == (404, "Folder not found")


def test_what_lies_in_a_groups_folder_is_the_groups(
    alice: Person, bob: Person, team: int, upload: Upload
) -> None:
    folder = make(alice, "ours", group_id=team)
    recording = upload(alice, folder_id=folder["id"]).json["id"]
    shown = bob.get(f"/api/v1/recordings/{recording}").json
    assert (shown["folder_id"], shown["folder"]) == (None, None)
    assert bob.get("/api/v1/recordings").json["recordings"] == []
    # Moved into a personal folder it belongs to the owner alone again.
    moved = alice.patch(f"/api/v1/folders/{folder['id']}", json={"group_id": None}).json
    assert (moved["group_id"], moved["can_edit"]) == (None, True)
    assert bob.get(f"/api/v1/recordings/{recording}").status_code == 404


def test_taking_a_folder_from_the_group_unfiles_what_is_not_ones_own(
    alice: Person, bob: Person, team: int, upload: Upload
) -> None:
    folder = make(alice, "ours", group_id=team)
    bobs = upload(bob, folder_id=folder["id"]).json["id"]
    mine = upload(alice, folder_id=folder["id"]).json["id"]
    alice.patch(f"/api/v1/folders/{folder['id']}", json={"group_id": None})
    assert bob.get(f"/api/v1/recordings/{bobs}").json["folder_id"] is None
    assert alice.get(f"/api/v1/recordings/{mine}").json["folder_id"] == folder["id"]


def test_only_its_admins_move_a_folder_into_a_group(alice: Person, bob: Person, team: int) -> None:
    folder = make(bob, "mine")
    refused = bob.patch(f"/api/v1/folders/{folder['id']}", json={"group_id": team})
    assert (refused.status_code, refused.json["code"]) == (403, "group_admin_required")


def test_deleting_a_folder_unfiles(alice: Person, upload: Upload) -> None:
    folder = make(alice, "x")
    recording = upload(alice, folder_id=folder["id"]).json["id"]
    assert alice.delete(f"/api/v1/folders/{folder['id']}").json == {"success": True}
    assert alice.get(f"/api/v1/recordings/{recording}").json["folder_id"] is None


def test_naming_templates_are_ones_own(alice: Person) -> None:
    answer = alice.post("/api/v1/folders", json={"name": "x", "naming_template_id": 12})
    assert (answer.status_code, answer.json["error"]) == (404, "Naming template 12 not found")
    assert alice.get("/api/v1/folders").json == []
