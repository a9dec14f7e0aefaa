"""Groups: creation, administration, and that the last admin stays."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from flask import Flask

from speakr.db import unit_of_work
from speakr.domain.permissions import Scope
from speakr.models import Folder, Recording, RecordingTag, Tag
from tests.conftest import Person

GROUPS = "/api/v1/groups"


@pytest.fixture
def admin(make_person: Callable[..., Person]) -> Person:
    return make_person("root", is_admin=True, scopes=frozenset(Scope))


@pytest.fixture
def team(admin: Person, alice: Person, bob: Person) -> str:
    """A group led by alice, with bob in it; the site administrator who created it has left."""
    made = admin.post(GROUPS, json={"name": "Engineering", "description": "Builds it"})
    assert made.status_code == 201, made.json
    address = f"{GROUPS}/{made.json['id']}"
    for person, role in ((alice, "admin"), (bob, "member")):
        answer = admin.post(f"{address}/members", json={"username": person.name.upper(), "role": role})
        assert answer.status_code == 201, answer.json
        assert answer.json["user_id"] == person.id
    assert admin.delete(f"{address}/members/{admin.id}").status_code == 204
    return address


def test_a_site_admin_makes_a_group_and_is_its_first_admin(admin: Person) -> None:
    made = admin.post(GROUPS, json={"name": " Sales ", "description": ""})
    assert made.status_code == 201
    assert (made.json["name"], made.json["description"]) == ("Sales", None)
    assert (made.json["role"], made.json["member_count"]) == ("admin", 1)
    assert admin.get(GROUPS).json["groups"] == [made.json]
    assert admin.get("/api/v1/users/me").json["group_memberships"] == [
        {
            "group_id": made.json["id"],
            "group_name": "Sales",
            "role": "admin",
            "joined_at": admin.get(f"{GROUPS}/{made.json['id']}/members").json["members"][0]["joined_at"],
        }
    ]


def test_only_site_admins_create_groups(alice: Person, make_person: Callable[..., Person]) -> None:
    without_scope = make_person("root", is_admin=True)
    only_scope = make_person("carol", scopes=frozenset(Scope))
    for person in (alice, without_scope, only_scope):
        refused = person.post(GROUPS, json={"name": "Mine"})
        assert (refused.status_code, refused.json["code"]) == (403, "admin_required")
        refused = person.get(f"{GROUPS}?all=true")
        assert (refused.status_code, refused.json["code"]) == (403, "admin_required")


@pytest.mark.on_sqlite
@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "  "}, {"name": "x" * 101}, {"name": 5}])
def test_a_group_needs_a_name(admin: Person, body: dict) -> None:
    refused = admin.post(GROUPS, json=body)
    assert refused.status_code == 400
    assert "name" in refused.json["errors"]


def test_names_are_taken_once(admin: Person, team: str) -> None:
    other = admin.post(GROUPS, json={"name": "Sales"}).json["id"]
    for refused in (
        admin.post(GROUPS, json={"name": "Engineering"}),
        admin.patch(f"{GROUPS}/{other}", json={"name": "Engineering"}),
    ):
        assert (refused.status_code, refused.json["code"]) == (400, "name_taken")
    assert admin.get(f"{GROUPS}/{other}").json["name"] == "Sales"


def test_only_members_see_their_group(
    admin: Person, alice: Person, bob: Person, team: str, make_person: Callable[..., Person]
) -> None:
    other_user = make_person("mallory")
    assert [group["role"] for group in alice.get(GROUPS).json["groups"]] == ["admin"]
    assert [group["role"] for group in bob.get(GROUPS).json["groups"]] == ["member"]
    assert bob.get(team).json["member_count"] == 2
    members = bob.get(f"{team}/members").json["members"]
    assert [(member["username"], member["role"]) for member in members] == [
        ("alice", "admin"),
        ("bob", "member"),
    ]
    assert other_user.get(GROUPS).json["groups"] == []
    for answer in (
        other_user.get(team),
        other_user.get(f"{team}/members"),
        other_user.patch(team, json={"name": "x"}),
        other_user.delete(team),
        other_user.post(f"{team}/members", json={"user_id": other_user.id}),
        other_user.patch(f"{team}/members/{bob.id}", json={"role": "admin"}),
        other_user.delete(f"{team}/members/{bob.id}"),
        other_user.delete(f"{team}/members/{other_user.id}"),
    ):
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    # A site administrator is in no group of others, but manages them all.
    assert admin.get(GROUPS).json["groups"] == []
    assert [group["role"] for group in admin.get(f"{GROUPS}?all=true").json["groups"]] == [None]


def test_only_its_admins_change_a_group(alice: Person, bob: Person, team: str) -> None:
    for answer in (
        bob.patch(team, json={"name": "x"}),
        bob.delete(team),
        bob.post(f"{team}/members", json={"user_id": bob.id}),
        bob.patch(f"{team}/members/{bob.id}", json={"role": "admin"}),
        bob.delete(f"{team}/members/{alice.id}"),
    ):
        assert (answer.status_code, answer.json["code"]) == (403, "group_admin_required")
    changed = alice.patch(team, json={"name": "Platform", "description": None})
    assert (changed.json["name"], changed.json["description"]) == ("Platform", None)


def test_taking_people_in(alice: Person, bob: Person, team: str, make_person: Callable[..., Person]) -> None:
    carol = make_person("carol")
    assert alice.post(f"{team}/members", json={"user_id": carol.id}).json["role"] == "member"
    twice = alice.post(f"{team}/members", json={"username": "bob", "role": "admin"})
    assert (twice.status_code, twice.json["code"]) == (409, "already_member")
    unknown = alice.post(f"{team}/members", json={"username": "nobody"})
    assert (unknown.status_code, unknown.json["code"]) == (404, "not_found")
    for body in ({}, {"user_id": 1, "username": "bob"}, {"username": "bob", "role": "king"}):
        assert alice.post(f"{team}/members", json=body).status_code == 400


def test_the_last_admin_stays(admin: Person, alice: Person, bob: Person, team: str) -> None:
    me = f"{team}/members/{alice.id}"
    for answer in (
        alice.delete(me),
        alice.patch(me, json={"role": "member"}),
        admin.delete(me),
        admin.patch(me, json={"role": "member"}),
    ):
        assert (answer.status_code, answer.json["code"]) == (409, "last_admin")
    assert alice.patch(f"{team}/members/{bob.id}", json={"role": "admin"}).json["role"] == "admin"
    assert alice.patch(me, json={"role": "member"}).json["role"] == "member"
    assert alice.delete(me).status_code == 204  # members may leave
    assert alice.get(team).status_code == 404
    assert bob.delete(me).status_code == 404
    assert bob.patch(me, json={"role": "member"}).status_code == 404


def test_two_admins_who_leave_at_once_leave_one(app: Flask, alice: Person, bob: Person, team: str) -> None:
    for _ in range(5):
        alice.post(f"{team}/members", json={"user_id": bob.id})
        assert alice.patch(f"{team}/members/{bob.id}", json={"role": "admin"}).status_code == 200
        assert sorted(_step_down_together(team, alice, bob)) == [200, 409]
        left = [m["user_id"] for m in alice.get(f"{team}/members").json["members"] if m["role"] == "admin"]
        assert len(left) == 1
        if left == [bob.id]:
            bob.patch(f"{team}/members/{alice.id}", json={"role": "admin"})


def _step_down_together(team: str, *people: Person) -> list[int]:
    barrier, codes = threading.Barrier(len(people)), []

    def step_down(person: Person) -> None:
        barrier.wait()
        codes.append(person.patch(f"{team}/members/{person.id}", json={"role": "member"}).status_code)

    threads = [threading.Thread(target=step_down, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return codes


def _file_under(person: Person, **ids: int) -> int:
    with unit_of_work() as session:
        row = Recording(
            user_id=person.id,
            title="A title",
            original_filename="a.wav",
            mime_type="audio/wav",
            file_size=10,
            sha256="0" * 64,
            folder_id=ids.get("folder_id"),
        )
        session.add(row)
        session.flush()
        session.add(RecordingTag(recording_id=row.id, tag_id=ids["tag_id"], position=1))
        return row.id


def _tag_and_folder(group_id: int) -> dict[str, int]:
    with unit_of_work() as session:
        tag, folder = Tag(group_id=group_id, name="Ours"), Folder(group_id=group_id, name="Ours")
        session.add_all([tag, folder])
        session.flush()
        return {"tag_id": tag.id, "folder_id": folder.id}


def test_a_deleted_group_takes_its_tags_and_folders_and_no_recordings(
    admin: Person, alice: Person, bob: Person, team: str
) -> None:
    ids = _tag_and_folder(int(team.rpartition("/")[2]))
    recording_id = _file_under(bob, **ids)
    assert alice.get(f"/api/v1/recordings/{recording_id}").status_code == 200
    assert alice.delete(team).status_code == 204
    kept = bob.get(f"/api/v1/recordings/{recording_id}").json
    assert (kept["folder_id"], kept["tags"]) == (None, [])
    for person in (admin, alice):
        assert person.get(team).status_code == 404
    assert alice.get(f"/api/v1/recordings/{recording_id}").status_code == 404


def test_who_leaves_takes_their_recordings_along(alice: Person, bob: Person, team: str) -> None:
    ids = _tag_and_folder(int(team.rpartition("/")[2]))
    bobs, alices = _file_under(bob, **ids), _file_under(alice, **ids)
    assert alice.get(f"/api/v1/recordings/{bobs}").status_code == 200
    assert bob.get(f"/api/v1/recordings/{alices}").status_code == 200
    assert bob.delete(f"{team}/members/{bob.id}").status_code == 204
    assert alice.get(f"/api/v1/recordings/{bobs}").status_code == 404
    assert bob.get(f"/api/v1/recordings/{alices}").status_code == 404
    assert bob.get(f"/api/v1/recordings/{bobs}").json["tags"] == []
    assert bob.get(f"/api/v1/recordings/{bobs}").json["folder_id"] is None
    assert [tag["id"] for tag in alice.get(f"/api/v1/recordings/{alices}").json["tags"]] == [ids["tag_id"]]


def test_a_group_made_twice_with_one_key_is_one(admin: Person) -> None:
    first, second = (
        admin.post(GROUPS, json={"name": "Once"}, headers={"Idempotency-Key": "k"}) for _ in range(2)
    )
    assert first.json == second.json
    assert len(admin.get(GROUPS).json["groups"]) == 1
