"""Retention removes old recordings when the rules say so, and never otherwise."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from speakr.backends import Backends
from speakr.db import db, unit_of_work
from speakr.domain.clock import now
from speakr.domain.permissions import Scope
from speakr.domain.recordings import RecordingStatus
from speakr.models import Event, Folder, Recording, RecordingTag, Tag
from speakr.services.recordings import retention
from speakr.services.system import maintenance, system_settings
from tests.conftest import Person

Upload = Callable[..., Any]
Make = Callable[..., int]


@pytest.fixture
def admin(make_person: Callable[..., Person]) -> Person:
    return make_person("root", is_admin=True, scopes=frozenset(Scope))


@pytest.fixture
def rule(app: object) -> Callable[..., None]:
    def put(**settings: Any) -> None:
        with unit_of_work():
            for name, value in settings.items():
                system_settings.put(name, value)

    return put


@pytest.fixture
def make(alice: Person, upload: Upload) -> Make:
    """Create a finished recording of so many days ago, with a tag or folder of these columns."""

    def made(
        days: int, *, tag: dict[str, Any] | None = None, folder: dict[str, Any] | None = None, **more: Any
    ) -> int:
        number: int = upload(alice).json["id"]
        with unit_of_work() as session:
            recording = session.get_one(Recording, number)
            recording.created_at = now() - timedelta(days=days, minutes=1)
            recording.status = more.pop("status", RecordingStatus.COMPLETED)
            for name, value in more.items():
                setattr(recording, name, value)
            if tag is not None:
                label = Tag(user_id=alice.id, name=f"t{number}", **tag)
                session.add(label)
                session.flush()
                session.add(RecordingTag(recording_id=number, tag_id=label.id, position=1))
            if folder is not None:
                place = Folder(user_id=alice.id, name=f"f{number}", **folder)
                session.add(place)
                session.flush()
                recording.folder_id = place.id
        return number

    return made


def left(person: Person) -> set[int]:
    return {item["id"] for item in person.get("/api/v1/recordings?per_page=100").json["recordings"]}


def test_nothing_goes_while_it_is_off(alice: Person, make: Make, rule: Callable[..., None]) -> None:
    number = make(1000)
    rule(retention_days=1)
    assert retention.run().done == 0
    assert left(alice) == {number}
    preview = alice.get("/api/v1/retention").json
    assert (preview["enabled"], [due["recording_id"] for due in preview["due"]]) == (False, [number])


def test_the_servers_days(alice: Person, make: Make, rule: Callable[..., None], backends: Backends) -> None:
    old, young = make(30), make(29)
    key = db.session.get_one(Recording, old).storage_key
    rule(enable_auto_deletion=True, retention_days=30)
    assert retention.run().done == 1
    assert left(alice) == {young}
    assert backends.storage.stat(key) is None
    events = db.session.scalars(select(Event).where(Event.type == "recording.deleted")).all()
    assert [event.recording_id for event in events] == [old]
    assert retention.run().done == 0


def test_without_any_rule_all_stays(alice: Person, make: Make, rule: Callable[..., None]) -> None:
    number = make(10_000)
    rule(enable_auto_deletion=True)
    assert retention.run().done == 0
    assert left(alice) == {number}


def test_a_tag_wins_over_the_folder_and_that_over_the_server(
    alice: Person, make: Make, rule: Callable[..., None]
) -> None:
    rule(enable_auto_deletion=True, retention_days=20)
    kept = {
        make(50, tag={"retention_days": 60}, folder={"retention_days": 10}),
        make(50, folder={"retention_days": 60}),
        make(15),
    }
    gone = {
        make(15, tag={"retention_days": 10}, folder={"retention_days": 60}),
        make(15, folder={"retention_days": 10}),
        make(25, tag={}, folder={}),
    }
    outcome = retention.run()
    assert {due.recording_id: due.rule for due in outcome.due} == dict(
        zip(sorted(gone), ["tag", "folder", "server"], strict=True)
    )
    assert left(alice) == kept


def test_of_several_tags_the_longest_days_hold(alice: Person, make: Make, rule: Callable[..., None]) -> None:
    rule(enable_auto_deletion=True)
    number = make(50, tag={"retention_days": 10})
    long = alice.post("/api/v1/tags", json={"name": "long", "retention_days": 90}).json["id"]
    alice.post(f"/api/v1/recordings/{number}/tags", json={"tag_id": long})
    retention.run()
    assert left(alice) == {number}


@pytest.mark.parametrize(
    "protection",
    [
        {"tag": {"protect_from_deletion": True, "retention_days": 1}},
        {"folder": {"protect_from_deletion": True}},
        {"deletion_exempt": True},
        {"status": RecordingStatus.PROCESSING},
        {"status": RecordingStatus.PENDING},
        {"status": RecordingStatus.SUMMARIZING},
    ],
)
def test_what_is_protected_or_at_work_stays(
    alice: Person, make: Make, rule: Callable[..., None], protection: dict[str, Any]
) -> None:
    rule(enable_auto_deletion=True, retention_days=1)
    number = make(100, **protection)
    assert retention.run().done == 0
    assert left(alice) == {number}


def test_owners_exempt_their_recordings(alice: Person, make: Make, rule: Callable[..., None]) -> None:
    rule(enable_auto_deletion=True, retention_days=1)
    number = make(100)
    answer = alice.patch(f"/api/v1/recordings/{number}", json={"deletion_exempt": True}).json
    assert answer["recording"]["deletion_exempt"] is True
    retention.run()
    assert left(alice) == {number}


def test_only_the_sound_goes(
    alice: Person, make: Make, rule: Callable[..., None], backends: Backends
) -> None:
    number = make(100)
    key = db.session.get_one(Recording, number).storage_key
    rule(enable_auto_deletion=True, retention_days=1, deletion_mode="audio_only")
    assert retention.run().done == 1
    detail = alice.get(f"/api/v1/recordings/{number}").json
    assert (detail["audio_available"], detail["audio_duration"]) == (False, None)
    assert backends.storage.stat(key) is None
    answer = alice.get(f"/api/v1/recordings/{number}/audio")
    assert (answer.status_code, answer.json["error"]) == (404, "Audio has been deleted")
    assert retention.run().done == 0


PROTECTIONS = ("exemption", "tag", "folder", "longer tag")


def protect(person: Person, number: int, how: str) -> int:
    """Protect a recording as its owner does; return the status of the answer."""
    path = f"/api/v1/recordings/{number}"
    if how == "exemption":
        return person.patch(path, json={"deletion_exempt": True}).status_code
    if how == "folder":
        folder = person.post("/api/v1/folders", json={"name": "kept", "protect_from_deletion": True})
        return person.patch(path, json={"folder_id": folder.json["id"]}).status_code
    rule = {"protect_from_deletion": True} if how == "tag" else {"retention_days": 3650}
    tag = person.post("/api/v1/tags", json={"name": "kept", **rule})
    return person.post(f"{path}/tags", json={"tag_id": tag.json["id"]}).status_code


# SQLite has one writer: there no user can change a recording while retention runs.
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("how", PROTECTIONS)
@pytest.mark.parametrize("mode", ["full_recording", "audio_only"])
def test_what_is_protected_while_retention_waits_for_locks_stays(
    alice: Person, make: Make, rule: Callable[..., None], monkeypatch: Any, how: str, mode: str
) -> None:
    kept, gone = make(100), make(100)
    rule(enable_auto_deletion=True, retention_days=1, deletion_mode=mode, enable_folders=True)
    hold, answers = retention.removal.held_for_removal, list[int]()

    def hold_later(*args: Any) -> Any:
        if not answers:
            thread = threading.Thread(target=lambda: answers.append(protect(alice, kept, how)))
            thread.start()
            thread.join()
        return hold(*args)

    monkeypatch.setattr(retention.removal, "held_for_removal", hold_later)
    outcome = retention.run()
    assert answers[0] in {200, 201}
    assert [due.recording_id for due in outcome.due] == [gone]
    assert alice.get(f"/api/v1/recordings/{kept}").json["audio_available"] is True


def test_more_than_one_part(alice: Person, make: Make, rule: Callable[..., None], monkeypatch: Any) -> None:
    monkeypatch.setattr(retention, "_AT_ONCE", 2)
    monkeypatch.setattr(retention, "_LOOK_AT", 3)
    for _ in range(5):
        make(100)
    make(100, deletion_exempt=True)
    rule(enable_auto_deletion=True, retention_days=1)
    assert retention.run().done == 5
    assert len(left(alice)) == 1


def test_the_system_runs_it_by_itself(
    alice: Person, make: Make, rule: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make(100)
    rule(enable_auto_deletion=True, retention_days=1)
    monkeypatch.setattr(maintenance, "_last_rare", -maintenance._RARE_INTERVAL_SECONDS)
    maintenance.run_maintenance()
    assert left(alice) == set()


def test_admins_look_before_they_leap(
    alice: Person, bob: Person, admin: Person, make: Make, rule: Callable[..., None]
) -> None:
    number = make(100, title="the secret title")
    rule(enable_auto_deletion=True, retention_days=90)
    (due,) = admin.get("/api/v1/admin/retention").json["due"]
    assert (due["recording_id"], due["user_id"], due["retention_days"], due["rule"]) == (
        number,
        alice.id,
        90,
        "server",
    )
    assert "title" not in due
    assert alice.get("/api/v1/retention").json["due"][0]["title"] == "the secret title"
    assert bob.get("/api/v1/retention").json["due"] == []
    assert admin.post("/api/v1/admin/retention").json["done"] == 0
    assert left(alice) == {number}
    assert admin.post("/api/v1/admin/retention", json={"dry_run": False}).json["done"] == 1
    assert left(alice) == set()


def test_others_do_not_run_it(alice: Person, make_person: Callable[..., Person]) -> None:
    for person in (alice, make_person("plain", is_admin=True), make_person("x", scopes=frozenset(Scope))):
        assert person.get("/api/v1/admin/retention").status_code == 403
        assert person.post("/api/v1/admin/retention", json={"dry_run": False}).status_code == 403
