"""Administration: accounts and system settings."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date

import pytest
from flask import Flask
from sqlalchemy import func, select

from speakr.backends import Backends
from speakr.db import Base, db, release, unit_of_work
from speakr.domain.permissions import GroupRole, Scope
from speakr.models import (
    Folder,
    Group,
    GroupMembership,
    Job,
    JobBlob,
    Recording,
    RecordingTag,
    Tag,
    UnwantedBlob,
    UsageDay,
    User,
)
from speakr.services.accounts import administration, usage, users
from speakr.services.system import system_settings
from tests.conftest import Person

USERS = "/api/v1/admin/users"
SETTINGS = "/api/v1/admin/settings"


@pytest.fixture
def admin(make_person: Callable[..., Person]) -> Person:
    return make_person("root", is_admin=True, scopes=frozenset(Scope))


def test_everything_here_is_for_administrators(admin: Person, alice: Person, make_person) -> None:
    pretender = make_person("carol", scopes=frozenset(Scope))
    careful = make_person("dora", is_admin=True)
    for person, code in ((alice, "scope_missing"), (careful, "scope_missing"), (pretender, "admin_required")):
        for answer in (
            person.get(USERS),
            person.post(USERS, json={"username": "x"}),
            person.get(f"{USERS}/{admin.id}"),
            person.patch(f"{USERS}/{admin.id}", json={"is_admin": False}),
            person.delete(f"{USERS}/{admin.id}"),
            person.get(SETTINGS),
            person.patch(SETTINGS, json={"enable_folders": True}),
            person.delete(f"{SETTINGS}/enable_folders"),
        ):
            assert (answer.status_code, answer.json["code"]) == (403, code)
    assert admin.get("/api/v1/users/me").json["is_admin"] is True


def test_people_are_listed_in_pages_and_found(admin: Person, alice: Person, bob: Person) -> None:
    admin.patch(f"{USERS}/{bob.id}", json={"email": "b.b@example.com", "name": "Robert"})
    page = admin.get(f"{USERS}?per_page=2&page=2")
    assert [user["username"] for user in page.json["users"]] == ["bob"]
    assert page.json["pagination"]["total"] == 3
    assert 'rel="prev"' in page.headers["Link"]
    for text in ("BOB", "b.b@", "robe"):
        assert [user["id"] for user in admin.get(f"{USERS}?q={text}").json["users"]] == [bob.id]
    assert admin.get(f"{USERS}?q=%25").json["users"] == []
    assert admin.get(f"{USERS}?page=0").status_code == 400


def test_people_are_made(admin: Person) -> None:
    form = {
        "username": " Carol ",
        "email": "carol@example.com",
        "email_verified": True,
        "name": "Carol",
        "password": "long enough",
        "is_admin": True,
        "token_budget": 1000,
        "transcription_budget_minutes": 10,
        "storage_quota_mb": 1,
    }
    made = admin.post(USERS, json=form)
    assert made.status_code == 201, made.json
    assert "long enough" not in made.text
    known = made.json.copy()
    assert admin.get(f"{USERS}/{known['id']}").json == known
    assert known.pop("created_at").endswith("Z")
    assert known.pop("id") > admin.id
    assert known == {
        "username": "Carol",
        "email": "carol@example.com",
        "email_verified": True,
        "name": "Carol",
        "is_admin": True,
        "is_active": True,
        "has_password": True,
        "token_budget": 1000,
        "transcription_budget_seconds": 600,
        "storage_quota_bytes": 1024 * 1024,
        "usage": {
            "tokens_this_month": 0,
            "transcription_seconds_this_month": 0,
            "storage_bytes": 0,
            "recordings": 0,
        },
    }
    assert users.authenticate("carol", "long enough").is_admin is True
    plain = admin.post(USERS, json={"username": "dan"}).json
    assert (plain["has_password"], plain["is_admin"], plain["token_budget"]) == (False, False, None)


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    ("field", "form"),
    [
        ("username", {}),
        ("username", {"username": " "}),
        ("username", {"username": "x" * 81}),
        ("password", {"username": "x", "password": "short"}),
        ("email", {"username": "x", "email": "nowhere"}),
        ("is_admin", {"username": "x", "is_admin": "yes"}),
        ("token_budget", {"username": "x", "token_budget": -1}),
        ("token_budget", {"username": "x", "token_budget": 2**31}),
        ("token_budget", {"username": "x", "token_budget": 1.5}),
        ("storage_quota_mb", {"username": "x", "storage_quota_mb": 1, "storage_quota_bytes": 5}),
        (
            "transcription_budget_minutes",
            {"username": "x", "transcription_budget_minutes": 1, "transcription_budget_seconds": None},
        ),
    ],
)
def test_invalid_account_fields(admin: Person, field: str, form: dict) -> None:
    refused = admin.post(USERS, json=form)
    assert refused.status_code == 400
    assert list(refused.json["errors"]) == [field]
    assert users.count() == 1


def test_names_and_addresses_are_taken_once(admin: Person, alice: Person, bob: Person) -> None:
    admin.patch(f"{USERS}/{alice.id}", json={"email": "alice@example.com"})
    for answer in (
        admin.post(USERS, json={"username": "ALICE"}),
        admin.post(USERS, json={"username": "x", "email": "Alice@Example.com"}),
        admin.patch(f"{USERS}/{bob.id}", json={"username": "Alice"}),
        admin.patch(f"{USERS}/{bob.id}", json={"email": "ALICE@example.com"}),
    ):
        assert (answer.status_code, answer.json["code"]) == (409, "user_exists")
    assert admin.patch(f"{USERS}/{alice.id}", json={"username": "Alice"}).json["username"] == "Alice"


def test_a_name_given_twice_at_once_is_taken_once(app: Flask, admin: Person) -> None:
    barrier, codes = threading.Barrier(4), []

    def add(name: str) -> None:
        barrier.wait()
        codes.append(admin.post(USERS, json={"username": name}).status_code)

    threads = [threading.Thread(target=add, args=(name,)) for name in ("ann", "Ann", "aNN", "ANN")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [201, 409, 409, 409]


def test_budgets_are_changed_in_either_unit(admin: Person, alice: Person) -> None:
    address = f"{USERS}/{alice.id}"
    changed = admin.patch(address, json={"transcription_budget_minutes": 2, "storage_quota_mb": 0}).json
    assert (changed["transcription_budget_seconds"], changed["storage_quota_bytes"]) == (120, 0)
    changed = admin.patch(address, json={"transcription_budget_seconds": 90, "token_budget": 5}).json
    assert (changed["transcription_budget_seconds"], changed["storage_quota_bytes"]) == (90, 0)
    changed = admin.patch(address, json={"storage_quota_mb": None, "token_budget": None}).json
    assert (changed["storage_quota_bytes"], changed["token_budget"]) == (None, None)
    assert admin.patch(address, json={"storage_quota_bytes": 10**12}).json["storage_quota_bytes"] == 10**12
    assert admin.patch(address, json={}).json["code"] == "empty_body"
    assert admin.patch(f"{USERS}/999999", json={"name": "x"}).status_code == 404
    assert admin.get(f"{USERS}/999999").status_code == 404


def test_usage_is_shown_and_recordings_are_not(admin: Person, alice: Person, upload) -> None:
    recording = upload(alice).json
    with unit_of_work() as session:
        usage.add(alice.id, tokens=7, transcribed_seconds=61.5)
        session.add(UsageDay(user_id=alice.id, day=date(2020, 1, 1), tokens=100, transcribed_seconds=1))
    wanted = {
        "tokens_this_month": 7,
        "transcription_seconds_this_month": 61,
        "storage_bytes": recording["file_size"],
        "recordings": 1,
    }
    assert admin.get(f"{USERS}/{alice.id}").json["usage"] == wanted
    listed = {user["id"]: user["usage"] for user in admin.get(USERS).json["users"]}
    assert listed[alice.id] == wanted
    assert listed[admin.id]["recordings"] == 0
    assert admin.get(f"/api/v1/recordings/{recording['id']}").status_code == 404


def test_a_deactivated_user_is_refused_at_once(admin: Person, alice: Person) -> None:
    assert alice.get("/api/v1/users/me").status_code == 200
    admin.patch(f"{USERS}/{alice.id}", json={"password": "long enough"})
    assert admin.patch(f"{USERS}/{alice.id}", json={"is_active": False}).json["is_active"] is False
    refused = alice.get("/api/v1/users/me")
    assert (refused.status_code, refused.json["code"]) == (401, "invalid_token")
    refused = alice.client.post("/api/v1/tokens", auth=("alice", "long enough"), json={})
    assert (refused.status_code, refused.json["code"]) == (401, "wrong_password")
    admin.patch(f"{USERS}/{alice.id}", json={"is_active": True})
    assert alice.get("/api/v1/users/me").status_code == 401
    assert alice.client.post("/api/v1/tokens", auth=("alice", "long enough"), json={}).status_code == 201


def test_the_last_active_administrator_stays(admin: Person, alice: Person, make_person) -> None:
    me = f"{USERS}/{admin.id}"
    sleeping = make_person("sleeper", is_admin=True)
    admin.patch(f"{USERS}/{sleeping.id}", json={"is_active": False})
    for answer in (
        admin.patch(me, json={"is_admin": False}),
        admin.patch(me, json={"is_active": False}),
        admin.delete(me),
    ):
        assert (answer.status_code, answer.json["code"]) == (409, "last_admin")
    assert admin.patch(f"{USERS}/{alice.id}", json={"is_admin": True}).json["is_admin"] is True
    assert admin.patch(me, json={"is_admin": False}).status_code == 200
    assert admin.get(USERS).json["code"] == "admin_required"


def test_two_administrators_who_step_down_at_once_leave_one(app: Flask, admin: Person, make_person) -> None:
    other = make_person("second", is_admin=True, scopes=frozenset(Scope))
    barrier, codes = threading.Barrier(2), []

    def step_down(person: Person) -> None:
        barrier.wait()
        codes.append(person.patch(f"{USERS}/{person.id}", json={"is_admin": False}).status_code)

    threads = [threading.Thread(target=step_down, args=(person,)) for person in (admin, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200, 409]


def rows_about(user_id: int) -> dict[str, int]:
    """Count the rows of all tables that name a user."""
    release()
    found = {}
    for table in Base.metadata.sorted_tables:
        if "user_id" in table.c:
            count = db.session.scalar(select(func.count()).where(table.c.user_id == user_id))
            found[table.name] = count or 0
    return found


def test_a_deleted_user_leaves_nothing_but_what_is_a_groups(
    app: Flask, admin: Person, alice: Person, bob: Person, upload, backends: Backends
) -> None:
    kept = upload(bob).json["id"]
    for _ in range(3):
        upload(alice)
    alice.post("/api/v1/tokens", json={"name": "x"}, headers={"Idempotency-Key": "k"})
    alice.post("/api/v1/templates", json={"kind": "naming", "name": "n", "body": "{{title}}"})
    with unit_of_work() as session:
        group = Group(name="Team")
        session.add(group)
        session.flush()
        group_id = group.id
        for person, role in ((alice, GroupRole.ADMIN), (bob, GroupRole.ADMIN)):
            session.add(GroupMembership(group_id=group.id, user_id=person.id, role=role))
        ours, mine = Tag(group_id=group.id, name="Ours"), Tag(user_id=alice.id, name="Mine")
        session.add_all([ours, mine, Folder(group_id=group.id, name="Ours")])
        session.flush()
        session.add(RecordingTag(recording_id=kept, tag_id=ours.id, position=1))
        usage.add(alice.id, tokens=1)
    bob.post(f"/api/v1/recordings/{kept}/shares", json={"user_id": alice.id})
    assert len(list(backends.storage.keys("audio"))) == 4
    assert admin.delete(f"{USERS}/{alice.id}").status_code == 204
    assert set(rows_about(alice.id).values()) == {0}
    assert rows_about(bob.id)["recordings"] == 1
    assert len(list(backends.storage.keys("audio"))) == 1
    assert db.session.scalar(select(func.count()).select_from(UnwantedBlob)) == 0
    assert alice.get("/api/v1/users/me").status_code == 401
    assert db.session.scalar(select(Tag.name).where(Tag.group_id == group_id)) == "Ours"
    assert [tag["name"] for tag in bob.get(f"/api/v1/recordings/{kept}").json["tags"]] == ["Ours"]
    assert admin.delete(f"{USERS}/{alice.id}").status_code == 404
    assert admin.post(USERS, json={"username": "alice"}).json["id"] > alice.id


def test_decoded_audio_of_a_deleted_user_goes_too(
    app: Flask, admin: Person, alice: Person, upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(alice)
    with unit_of_work() as session:
        job_id = session.scalars(select(Job.id)).one()
        session.add(JobBlob(storage_key="pcm/00/" + "0" * 32, job_id=job_id))
    monkeypatch.setattr(administration.unwanted_blobs, "clear", lambda: None)
    assert admin.delete(f"{USERS}/{alice.id}").status_code == 204
    noted = db.session.scalars(select(UnwantedBlob.storage_key))
    assert sorted(key.partition("/")[0] for key in noted) == ["audio", "pcm"]


def test_the_only_admin_of_a_group_with_others_is_not_deleted(
    admin: Person, alice: Person, bob: Person
) -> None:
    group = admin.post("/api/v1/groups", json={"name": "Team"}).json["id"]
    members = f"/api/v1/groups/{group}/members"
    admin.post(members, json={"user_id": alice.id, "role": "admin"})
    admin.delete(f"{members}/{admin.id}")
    admin.post(members, json={"user_id": bob.id})
    refused = admin.delete(f"{USERS}/{alice.id}")
    assert (refused.status_code, refused.json["code"]) == (409, "last_admin")
    assert refused.json["groups"] == ["Team"]
    admin.delete(f"{members}/{bob.id}")
    assert admin.delete(f"{USERS}/{alice.id}").status_code == 204
    assert admin.get(f"/api/v1/groups/{group}").json["member_count"] == 0


def test_settings_are_shown_with_their_defaults(admin: Person) -> None:
    shown = admin.get(SETTINGS).json["settings"]
    assert set(shown) == set(system_settings.KNOWN)
    assert shown["enable_folders"] == {
        "value": False,
        "default": False,
        "help": "Whether folders are enabled.",
    }
    assert shown["retention_days"]["value"] is None


def test_settings_change_together_or_not_at_all(admin: Person) -> None:
    changed = admin.patch(SETTINGS, json={"enable_folders": True, "retention_days": 30})
    assert changed.status_code == 200
    assert changed.json == admin.get(SETTINGS).json
    assert changed.json["settings"]["enable_folders"]["value"] is True
    refused = admin.patch(
        SETTINGS,
        json={"enable_folders": False, "retention_days": 0, "colour": "blue", "deletion_mode": None},
    )
    assert refused.status_code == 400
    assert set(refused.json["errors"]) == {"retention_days", "colour", "deletion_mode"}
    assert admin.get(SETTINGS).json == changed.json
    assert admin.patch(SETTINGS, json={"retention_days": None}).json["settings"]["retention_days"] == {
        **changed.json["settings"]["retention_days"],
        "value": None,
    }
    assert admin.patch(SETTINGS, json={}).json["code"] == "empty_body"
    for body in ([], "x", [{"enable_folders": True}]):
        assert admin.patch(SETTINGS, json=body).status_code == 400


def test_settings_go_back_to_their_defaults(admin: Person, alice: Person) -> None:
    assert alice.get("/api/v1/recordings?folder_id=none").json["code"] == "folders_disabled"
    admin.patch(SETTINGS, json={"enable_folders": True})
    assert alice.get("/api/v1/recordings?folder_id=none").status_code == 200
    for _ in range(2):
        assert admin.delete(f"{SETTINGS}/enable_folders").status_code == 204
    assert alice.get("/api/v1/recordings?folder_id=none").json["code"] == "folders_disabled"
    assert admin.delete(f"{SETTINGS}/colour").status_code == 404


def test_a_setting_changed_by_two_at_once_has_one_of_the_values(app: Flask, admin: Person) -> None:
    barrier, codes = threading.Barrier(4), []

    def change(days: int) -> None:
        barrier.wait()
        codes.append(admin.patch(SETTINGS, json={"retention_days": days}).status_code)

    threads = [threading.Thread(target=change, args=(days,)) for days in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [200] * 4
    assert admin.get(SETTINGS).json["settings"]["retention_days"]["value"] in range(1, 5)


def test_administrators_see_no_recordings_of_others(admin: Person, alice: Person, upload) -> None:
    """In no response of the administrators' routes."""
    upload(alice, title="A very secret title")
    for address in (USERS, f"{USERS}/{alice.id}", SETTINGS, "/api/v1/recordings", "/api/v1/jobs"):
        assert "secret" not in admin.get(address).text
    assert db.session.scalar(select(func.count()).select_from(Recording)) == 1
    assert db.session.scalar(select(User.is_admin).where(User.id == alice.id)) is False
