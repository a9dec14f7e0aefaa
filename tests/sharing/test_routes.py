"""What a recipient can and cannot do, on every route of a recording."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask, request, request_started

from speakr.db import unit_of_work
from speakr.domain.permissions import Scope
from speakr.models import (
    Folder,
    Recording,
    RecordingTag,
    Tag,
)
from speakr.services.accounts import tokens, users
from speakr.services.system import system_settings
from tests.conftest import Person
from tests.sharing.conftest import R, change, job_of
from tests.sharing.routes import EDITOR, STRANGER, VIEWER, every_route


def test_every_route_is_tried(app: Flask, alice: Person, recording: int) -> None:
    """A new route of a recording needs an entry here on what a share permits."""
    tried: set[tuple[str, str]] = set()

    def note(_app: Flask) -> None:
        tried.add((request.method, request.url_rule.rule if request.url_rule else ""))

    with request_started.connected_to(note):
        every_route(alice, recording, job_of(recording))
    known = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/") and {"recording_id", "job_id"} & rule.arguments
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert known - tried == set()


def test_batches_are_for_owners(
    alice: Person, bob: Person, recording: int, share: Callable[..., int]
) -> None:
    share(bob, can_edit=True)
    ids = {"recording_ids": [recording]}
    refusal = [{"id": recording, "success": False, "error": "Permission denied"}]
    for answer in (
        bob.patch(f"{R}/batch", json={**ids, "updates": {"is_inbox": False}}),
        bob.delete(f"{R}/batch", json=ids),
    ):
        assert answer.json["results"] == refusal
    assert alice.get(f"{R}/{recording}").json["is_inbox"] is True


def test_other_users_see_nothing(bob: Person, make_person, recording: int) -> None:
    job = job_of(recording)
    assert every_route(bob, recording, job) == STRANGER
    admin = make_person("root", is_admin=True, scopes=frozenset(Scope))
    assert every_route(admin, recording, job) == STRANGER


def test_who_it_is_shared_with_may_look(bob: Person, recording: int, share) -> None:
    share(bob)
    assert every_route(bob, recording, job_of(recording)) == VIEWER


def test_who_may_edit_may_not_take_the_owners_place(
    alice: Person, bob: Person, recording: int, share
) -> None:
    share(bob, can_edit=True)
    assert every_route(bob, recording, job_of(recording)) == EDITOR
    now_is = alice.get(f"{R}/{recording}").json
    assert (now_is["title"], now_is["summary"], now_is["meeting_date"]) == ("Mine now", "Changed", None)
    assert (now_is["notes"], now_is["is_inbox"], now_is["is_highlighted"]) == ("my notes", True, True)


@pytest.mark.parametrize("options", [{"can_edit": False}, {"can_edit": True}])
def test_recipients_never_see_what_is_the_owners(
    alice: Person, bob: Person, recording: int, share, options: dict[str, bool]
) -> None:
    share(bob, **options)
    mine, theirs = alice.get(f"{R}/{recording}").json, bob.get(f"{R}/{recording}").json
    hidden = {
        "notes": None,
        "tags": [],
        "folder": None,
        "folder_id": None,
        "is_inbox": False,
        "is_highlighted": False,
        "deletion_exempt": False,
        "duplicate_info": None,
    }
    assert theirs == {**mine, **hidden}
    assert all(mine[name] != value for name, value in hidden.items())
    assert len(theirs["events"]) == 1
    assert bob.get(f"{R}/{recording}/notes").json == {"notes": None, "has_notes": False}
    assert bob.get(R).json["recordings"] == []


def test_an_edit_shows_the_editor_no_marks_of_the_owner(
    alice: Person, bob: Person, recording: int, share
) -> None:
    share(bob, can_edit=True)
    answer = bob.patch(f"{R}/{recording}", json={"title": "New", "participants": "Ann, Bob"})
    assert answer.status_code == 200
    assert answer.json["recording"] == {
        "id": recording,
        "title": "New",
        "participants": "Ann, Bob",
        "notes": None,
        "summary": "The summary",
        "meeting_date": alice.get(f"{R}/{recording}").json["meeting_date"],
        "is_inbox": False,
        "is_highlighted": False,
        "folder_id": None,
        "deletion_exempt": False,  # it is; whether is the owner's business
    }
    assert alice.patch(f"{R}/{recording}", json={"title": "Back"}).json["recording"]["notes"] == "my notes"


def test_an_administrator_switches_sharing_off(
    alice: Person, bob: Person, recording: int, share, group: dict[str, int]
) -> None:
    share_id = share(bob, can_edit=True)
    with unit_of_work() as session:
        session.add(RecordingTag(recording_id=recording, tag_id=group["tag_id"], position=2))
        system_settings.put("enable_internal_sharing", value=False)
    assert every_route(bob, recording, job_of(recording)) == STRANGER
    address = f"{R}/{recording}/shares"
    for answer in (
        alice.post(address, json={"user_id": bob.id}),
        alice.patch(f"{address}/{share_id}", json={"can_edit": False}),
    ):
        assert (answer.status_code, answer.json["code"]) == (403, "sharing_disabled")
    assert len(alice.get(address).json["shares"]) == 1
    assert alice.delete(f"{address}/{share_id}").status_code == 204


@pytest.mark.parametrize("through", ["tag", "folder"])
@pytest.mark.parametrize(
    ("shares", "member", "lead"),
    [
        ({"auto_share_on_apply": True, "share_with_group_lead": True}, VIEWER, EDITOR),
        ({"auto_share_on_apply": True, "share_with_group_lead": False}, VIEWER, EDITOR),
        ({"auto_share_on_apply": False, "share_with_group_lead": True}, STRANGER, EDITOR),
        ({"auto_share_on_apply": False, "share_with_group_lead": False}, STRANGER, STRANGER),
    ],
)
def test_what_groups_see(
    app: Flask, bob: Person, recording: int, group: dict[str, int], through: str, shares, member, lead
) -> None:
    lee = Person(**_person("lee", app))
    if through == "tag":
        change(Tag, group["tag_id"], **shares)
        with unit_of_work() as session:
            session.add(RecordingTag(recording_id=recording, tag_id=group["tag_id"], position=2))
    else:
        change(Folder, group["folder_id"], **shares)
        change(Recording, recording, folder_id=group["folder_id"])
    job = job_of(recording)
    assert every_route(bob, recording, job) == member
    assert every_route(lee, recording, job) == lead
    if member is VIEWER:
        seen = bob.get(f"{R}/{recording}").json
        assert (seen["tags"], seen["folder"], seen["notes"]) == ([], None, None)
    bob.delete(f"/api/v1/groups/{group['id']}/members/{bob.id}")
    assert every_route(bob, recording, job) == STRANGER


def _person(name: str, app: Flask) -> dict[str, object]:
    with unit_of_work():
        user = users.find(name)
        return {"id": user.id, "name": name, "token": tokens.create(user.id)[1], "client": app.test_client()}
