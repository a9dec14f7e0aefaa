"""Tags: creation, use on recordings, and ownership."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from speakr.db import db, unit_of_work
from speakr.domain.permissions import GroupRole
from speakr.models import Event, Group, GroupMembership
from tests.conftest import Person

Upload = Callable[..., Any]


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
    answer = person.post("/api/v1/tags", json={"name": name, **more})
    assert answer.status_code == 201, answer.json
    return answer.json


def names(person: Person) -> list[str]:
    return [tag["name"] for tag in person.get("/api/v1/tags").json["tags"]]


def test_a_tag_has_the_documented_keys_and_defaults(alice: Person) -> None:
    tag = make(alice, " Interviews ", custom_prompt="Look closely", default_min_speakers=2)
    assert tag["name"] == "Interviews"
    assert (tag["color"], tag["is_group_tag"], tag["group_id"]) == ("#3B82F6", False, None)
    assert (tag["custom_prompt"], tag["default_min_speakers"], tag["default_max_speakers"]) == (
        "Look closely",
        2,
        None,
    )
    assert tag["protect_from_deletion"] is False
    (listed,) = alice.get("/api/v1/tags").json["tags"]
    assert listed == {**tag, "can_edit": True}
    assert alice.get(f"/api/v1/tags/{tag['id']}").json == listed


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 51}, "name"),
        ({"name": ["x"]}, "name"),
        ({"name": "x", "color": "red"}, "color"),
        ({"name": "x", "default_min_speakers": 5, "default_max_speakers": 2}, "default_min_speakers"),
        ({"name": "x", "default_min_speakers": True}, "default_min_speakers"),
        ({"name": "x", "retention_days": -2}, "retention_days"),
        ({"name": "x", "custom_prompt": "p" * 20_001}, "custom_prompt"),
        ({"name": "x", "group_id": 2**63}, "group_id"),
    ],
)
def test_what_makes_no_tag(alice: Person, body: dict[str, Any], field: str) -> None:
    answer = alice.post("/api/v1/tags", json=body)
    assert answer.status_code == 400
    assert field in answer.json["errors"]
    assert names(alice) == []


def test_a_name_is_taken_per_owner(alice: Person, bob: Person, team: int) -> None:
    make(alice, "Work")
    answer = alice.post("/api/v1/tags", json={"name": "Work"})
    assert (answer.status_code, answer.json["error"]) == (400, "Tag with this name already exists")
    make(bob, "Work")
    make(alice, "Work", group_id=team)
    again = alice.post("/api/v1/tags", json={"name": "Work", "group_id": team})
    assert again.json["error"] == "Tag with this name already exists for this group"
    other = make(alice, "Other")
    renamed = alice.put(f"/api/v1/tags/{other['id']}", json={"name": "Work"})
    assert (renamed.status_code, renamed.json["code"]) == (400, "name_taken")


def test_personal_tags_come_first_then_those_of_groups(alice: Person, bob: Person, team: int) -> None:
    make(alice, "aaa", group_id=team)
    make(bob, "zzz")
    make(bob, "Bbb")
    assert names(bob) == ["Bbb", "zzz", "aaa"]
    assert [tag["can_edit"] for tag in bob.get("/api/v1/tags").json["tags"]] == [True, True, False]
    assert names(alice) == ["aaa"]


def test_only_group_admins_make_and_change_group_tags(alice: Person, bob: Person, team: int) -> None:
    refused = bob.post("/api/v1/tags", json={"name": "x", "group_id": team})
    assert (refused.status_code, refused.json["error"]) == (403, "Only group admins can create group tags")
    nowhere = bob.post("/api/v1/tags", json={"name": "x", "group_id": team + 1})
    assert nowhere.json["error"] == refused.json["error"]
    tag = make(alice, "x", group_id=team)
    for answer in (
        bob.put(f"/api/v1/tags/{tag['id']}", json={"name": "y"}),
        bob.delete(f"/api/v1/tags/{tag['id']}"),
    ):
        assert (answer.status_code, answer.json["error"]) == (403, "Only group admins can edit group tags")


def test_other_peoples_tags_are_not_there(alice: Person, bob: Person) -> None:
    tag = make(alice, "secret")
    for answer in (
        bob.get(f"/api/v1/tags/{tag['id']}"),
        bob.put(f"/api/v1/tags/{tag['id']}", json={"name": "mine"}),
        bob.delete(f"/api/v1/tags/{tag['id']}"),
    ):
        assert (answer.status_code, answer.json["error"]) == (404, "Tag not found")
    assert names(alice) == ["secret"]


def test_a_tag_changes_in_part(alice: Person) -> None:
    tag = make(alice, "x", default_language="en", default_hotwords="Speakr")
    changed = alice.put(f"/api/v1/tags/{tag['id']}", json={"default_language": None, "color": "#000000"}).json
    assert changed["success"] is True
    assert changed["tag"] == {**tag, "default_language": None, "color": "#000000"}
    protected = alice.patch(f"/api/v1/tags/{tag['id']}", json={"retention_days": -1}).json["tag"]
    assert (protected["protect_from_deletion"], protected["retention_days"]) == (True, None)


def test_tags_go_on_in_order_and_come_off(alice: Person, upload: Upload) -> None:
    recording = upload(alice).json["id"]
    first, second, third = (make(alice, name)["id"] for name in "abc")
    url = f"/api/v1/recordings/{recording}/tags"
    answer = alice.post(url, json={"tag_ids": [second, first, 999]}).json
    assert answer == {
        "success": True,
        "added_tags": [{"id": second, "name": "b"}, {"id": first, "name": "a"}],
        "errors": ["Tag 999 not found"],
    }
    assert alice.post(url, json={"tag_id": third}).json["added_tags"] == [{"id": third, "name": "c"}]
    again = alice.post(url, json={"tags": ["a", "nope"]}).json
    assert (again["added_tags"], again["errors"]) == ([], ["Tag nope not found"])
    shown = alice.get(f"/api/v1/recordings/{recording}").json["tags"]
    assert [tag["name"] for tag in shown] == ["b", "a", "c"]
    removed = alice.delete(f"{url}/{first}")
    assert removed.json == {"success": True, "message": "Tag removed"}
    missing = alice.delete(f"{url}/{first}")
    assert (missing.status_code, missing.json["error"]) == (404, "Tag not on this recording")
    empty = alice.post(url, json={})
    assert (empty.status_code, empty.json["error"]) == (400, "tag_ids or tag_id required")
    assert alice.post(url, json=[first]).status_code == 400
    assert alice.post(url, json={"tag_ids": [2**63]}).status_code == 400
    events = db.session.scalars(select(Event.data).where(Event.type == "recording.updated")).all()
    assert [event["fields_changed"] for event in events] == [["tags"]] * 3


def test_tags_of_others_cannot_be_used(alice: Person, bob: Person, upload: Upload) -> None:
    recording = upload(alice).json["id"]
    foreign = make(bob, "bobs")["id"]
    answer = alice.post(f"/api/v1/recordings/{recording}/tags", json={"tag_ids": [foreign]}).json
    assert (answer["added_tags"], answer["errors"]) == ([], [f"Tag {foreign} not found"])
    assert bob.post(f"/api/v1/recordings/{recording}/tags", json={"tag_ids": [foreign]}).status_code == 404


def test_a_deleted_tag_is_off_everywhere_and_recordings_stay(alice: Person, upload: Upload) -> None:
    tag = make(alice, "x")
    recording = upload(alice, tag_id=tag["id"]).json["id"]
    assert alice.delete(f"/api/v1/tags/{tag['id']}").json == {"success": True, "message": "Tag deleted"}
    assert alice.get(f"/api/v1/recordings/{recording}").json["tags"] == []


def test_a_groups_tag_shows_what_it_is_put_on(alice: Person, bob: Person, team: int, upload: Upload) -> None:
    open_tag = make(alice, "open", group_id=team)
    leads_only = make(alice, "leads", group_id=team, auto_share_on_apply=False)
    closed = make(alice, "closed", group_id=team, auto_share_on_apply=False, share_with_group_lead=False)
    mine = upload(bob, tag_id=leads_only["id"]).json["id"]
    hidden = upload(bob, tag_id=closed["id"]).json["id"]
    shown = upload(alice, tag_id=open_tag["id"]).json["id"]
    unseen = upload(alice, tag_id=leads_only["id"]).json["id"]
    assert alice.get(f"/api/v1/recordings/{mine}").status_code == 200
    assert alice.patch(f"/api/v1/recordings/{mine}", json={"title": "by the lead"}).status_code == 200
    assert alice.get(f"/api/v1/recordings/{hidden}").status_code == 404
    assert bob.get(f"/api/v1/recordings/{shown}").json["tags"] == []
    assert bob.patch(f"/api/v1/recordings/{shown}", json={"title": "x"}).status_code == 403
    assert bob.get(f"/api/v1/recordings/{unseen}").status_code == 404


def test_a_colour_is_all_of_the_text(alice: Person) -> None:
    answer = alice.post("/api/v1/tags", json={"name": "x", "color": "#3B82F6\n"})
    assert answer.status_code == 400
    assert answer.json["errors"].keys() == {"color"}


def test_tags_of_a_recording_are_replaced_as_a_whole(alice: Person, bob: Person, upload) -> None:
    recording = upload(alice).json["id"]
    path = f"/api/v1/recordings/{recording}/tags"
    first, second, third = (make(alice, name)["id"] for name in ("one", "two", "three"))
    foreign = make(bob, "theirs")["id"]

    def names() -> list[str]:
        return [tag["name"] for tag in alice.get(f"/api/v1/recordings/{recording}").json["tags"]]

    answer = alice.put(path, json={"tag_ids": [first, second]})
    assert (answer.status_code, [tag["id"] for tag in answer.json["tags"]]) == (200, [first, second])
    alice.put(path, json={"tag_ids": [third, second]})
    assert names() == ["two", "three"]  # what stays keeps its place
    for wrong in ([third, foreign], [2_000_000_000]):
        refused = alice.put(path, json={"tag_ids": wrong})
        assert (refused.status_code, list(refused.json["errors"])) == (400, ["tag_ids"])
    assert names() == ["two", "three"]
    assert bob.put(path, json={"tag_ids": []}).status_code == 404
    assert alice.put(path, json={}).status_code == 400
    assert alice.put(path, json={"tag_ids": []}).json["tags"] == []
    assert names() == []
