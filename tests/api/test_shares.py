"""Shares: what a recipient can and cannot do, on every route of a recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Flask, request, request_started

from speakr.backends import Backends
from speakr.db import db, unit_of_work
from speakr.domain.clock import now
from speakr.domain.jobs import JobKind, JobState
from speakr.domain.permissions import GroupRole, Scope
from speakr.domain.recordings import RecordingStatus
from speakr.models import (
    CalendarEvent,
    Folder,
    Group,
    GroupMembership,
    Job,
    Recording,
    RecordingTag,
    Segment,
    Tag,
    User,
)
from speakr.services import system_settings, tokens, users
from tests.conftest import Person

R = "/api/v1/recordings"


@pytest.fixture
def recording(app: Flask, alice: Person, upload) -> int:
    """A recording of alice's with everything on it, twice uploaded, and finished."""
    made = upload(alice, title="Board", notes="my notes").json["id"]
    with unit_of_work() as session:
        tag, folder = Tag(user_id=alice.id, name="Secret"), Folder(user_id=alice.id, name="Hidden")
        session.add_all([tag, folder])
        session.flush()
        row = session.get_one(Recording, made)
        row.status, row.completed_at = RecordingStatus.COMPLETED, now()
        row.has_transcription = row.has_summary = True
        row.summary, row.participants = "The summary", "Ann"
        row.folder_id, row.is_highlighted, row.deletion_exempt = folder.id, True, True
        session.add(_copy_of(row))
        session.add(RecordingTag(recording_id=made, tag_id=tag.id, position=1))
        session.add(
            Segment(
                recording_id=made, position=0, start=0, end=1, text="Hello", speaker="SPEAKER_00", words=[]
            )
        )
        session.add(CalendarEvent(recording_id=made, title="Follow-up", start_at=now()))
        for job in session.query(Job):
            job.state = JobState.FAILED
    return made


@pytest.fixture
def share(alice: Person, recording: int) -> Callable[..., int]:
    def give(person: Person, **options: object) -> int:
        made = alice.post(f"{R}/{recording}/shares", json={"user_id": person.id, **options})
        assert made.status_code == 201, made.json
        return made.json["id"]

    return give


@pytest.fixture
def group(app: Flask, bob: Person, alice: Person, make_person: Callable[..., Person]) -> dict[str, int]:
    """A group of alice and bob, led by lee, with a tag and a folder."""
    lee = make_person("lee")
    with unit_of_work() as session:
        made = Group(name="Board")
        session.add(made)
        session.flush()
        for person in (alice, bob, lee):
            role = GroupRole.ADMIN if person is lee else GroupRole.MEMBER
            session.add(GroupMembership(group_id=made.id, user_id=person.id, role=role))
        tag, folder = Tag(group_id=made.id, name="Ours"), Folder(group_id=made.id, name="Ours")
        session.add_all([tag, folder])
        session.flush()
        return {"id": made.id, "tag_id": tag.id, "folder_id": folder.id}


def _copy_of(row: Recording) -> Recording:
    names = ("user_id", "title", "original_filename", "mime_type", "file_size", "sha256")
    return Recording(**{name: getattr(row, name) for name in names})


def change(kind: type, thing_id: int, **values: object) -> None:
    with unit_of_work() as session:
        for name, value in values.items():
            setattr(session.get_one(kind, thing_id), name, value)


def every_route(person: Person, recording: int, job: int) -> dict[str, int]:
    """Return the status of each route of a recording that a share might open."""
    address = f"{R}/{recording}"
    answers = {
        "detail": person.get(address),
        "status": person.get(f"{address}/status"),
        "transcript": person.get(f"{address}/transcript"),
        "text": person.get(f"{address}/transcript?format=text"),
        "summary": person.get(f"{address}/summary"),
        "notes": person.get(f"{address}/notes"),
        "audio": person.get(f"{address}/audio"),
        "live": person.get(f"{address}/live"),
        "job": person.get(f"/api/v1/jobs/{job}"),
        "events": person.get(f"{address}/events"),
        "ics": person.get(f"{address}/events/ics"),
        "export": person.get(f"{address}/export"),
        "speakers": person.get(f"{address}/speakers"),
        "chat": person.post(f"{address}/chat", json={"message": "Who greets?"}),
        "identify": person.post(f"{address}/speakers/identify"),
        "new title": person.post(f"{address}/regenerate_title"),
        "patch title": person.patch(address, json={"title": "Mine now"}),
        "patch meeting date": person.patch(address, json={"meeting_date": None}),
        "put summary": person.put(f"{address}/summary", json={"summary": "Changed"}),
        "assign": person.put(f"{address}/speakers/assign", json={"speaker_map": {"SPEAKER_00": "Ann"}}),
        "add tag": person.post(f"{address}/tags", json={"tag_id": 1}),
        "remove tag": person.delete(f"{address}/tags/1"),
        "change share": person.patch(f"{address}/shares/2000000000", json={"can_edit": True}),
        "end share": person.delete(f"{address}/shares/2000000000"),
        "patch notes": person.patch(address, json={"notes": "x"}),
        "put notes": person.put(f"{address}/notes", json={"notes": "x"}),
        "patch inbox": person.patch(address, json={"is_inbox": False, "title": "x"}),
        "patch star": person.patch(address, json={"is_highlighted": False}),
        "patch folder": person.patch(address, json={"folder_id": None}),
        "shares": person.get(f"{address}/shares"),
        "share": person.post(f"{address}/shares", json={"user_id": person.id}),
        "cancel": person.post(f"/api/v1/jobs/{job}/cancel"),
        "retry": person.post(f"/api/v1/jobs/{job}/retry"),
        "summarize": person.post(f"{address}/summarize"),
        "transcribe": person.post(f"{address}/transcribe"),
        "delete": person.delete(address),
    }
    return {name: answer.status_code for name, answer in answers.items()}


LOOKING = {
    "detail": 200,
    "status": 200,
    "transcript": 200,
    "text": 200,
    "summary": 200,
    "notes": 200,
    "audio": 200,
    "live": 200,
    "job": 200,
    "events": 200,
    "ics": 200,
    "export": 200,
    "speakers": 200,
    "chat": 200,
}
CHANGING = [
    "identify",
    "new title",
    "patch title",
    "patch meeting date",
    "put summary",
    "assign",
    "retry",
    "summarize",
    "transcribe",
]
OWNERS = [
    "add tag",
    "remove tag",
    "change share",
    "end share",
    "patch notes",
    "put notes",
    "patch inbox",
    "patch star",
    "patch folder",
    "shares",
    "share",
    "delete",
]
VIEWER = {**LOOKING, **dict.fromkeys([*CHANGING, *OWNERS, "cancel"], 403)}
EDITOR = {
    **LOOKING,
    **dict.fromkeys(CHANGING, 200),
    **dict.fromkeys(OWNERS, 403),
    "retry": 202,
    "cancel": 409,
}
STRANGER = dict.fromkeys(VIEWER, 404)


def test_every_route_is_tried(app: Flask, alice: Person, recording: int) -> None:
    """Whoever adds a route of a recording has to say here what a share opens of it."""
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


def job_of(recording: int) -> int:
    with db.session.no_autoflush:
        return db.session.query(Job.id).filter_by(recording_id=recording).order_by(Job.id).first()[0]


def test_strangers_see_nothing(bob: Person, make_person, recording: int) -> None:
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


def test_an_edit_tells_the_editor_nothing_of_the_owner(
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
    }
    assert alice.patch(f"{R}/{recording}", json={"title": "Back"}).json["recording"]["notes"] == "my notes"


def test_the_owner_gives_changes_and_takes_back(
    alice: Person, bob: Person, make_person, recording: int, share
) -> None:
    address = f"{R}/{recording}/shares"
    share_id = share(bob)
    (listed,) = alice.get(address).json["shares"]
    assert (listed["username"], listed["can_edit"], listed["recording_id"]) == ("bob", False, recording)
    assert share(bob, can_edit=True) == share_id  # a second time changes the first
    assert [row["can_edit"] for row in alice.get(address).json["shares"]] == [True]
    assert alice.patch(f"{address}/{share_id}", json={"can_edit": False}).json["can_edit"] is False
    assert bob.patch(f"{R}/{recording}", json={"title": "x"}).status_code == 403
    assert bob.patch(f"{address}/{share_id}", json={"can_edit": True}).status_code == 403
    stranger = make_person("mallory")
    assert stranger.delete(f"{address}/{share_id}").status_code == 404
    assert stranger.patch(f"{address}/{share_id}", json={"can_edit": True}).status_code == 404
    assert alice.delete(f"{address}/{share_id}").status_code == 204
    assert every_route(bob, recording, job_of(recording)) == STRANGER
    assert alice.delete(f"{address}/{share_id}").status_code == 404
    assert alice.patch(f"{address}/{share_id}", json={"can_edit": True}).status_code == 404


def test_recipients_may_do_without(bob: Person, make_person, recording: int, share) -> None:
    carol = make_person("carol")
    bobs, carols = share(bob), share(carol)
    assert bob.delete(f"{R}/{recording}/shares/{carols}").status_code == 403
    assert bob.delete(f"{R}/{recording + 1}/shares/{bobs}").status_code == 404
    assert bob.delete(f"{R}/{recording}/shares/{bobs}").status_code == 204
    assert bob.get(f"{R}/{recording}").status_code == 404
    assert carol.get(f"{R}/{recording}").status_code == 200


def test_whom_one_cannot_share_with(alice: Person, bob: Person, recording: int) -> None:
    address = f"{R}/{recording}/shares"
    oneself = alice.post(address, json={"username": "alice"})
    assert (oneself.status_code, oneself.json["code"]) == (400, "share_with_oneself")
    for body in ({"username": "nobody"}, {"user_id": 2_000_000_000}):
        assert alice.post(address, json=body).status_code == 404
    for body in ({}, {"user_id": bob.id, "username": "bob"}, {"user_id": bob.id, "can_edit": "yes"}):
        assert alice.post(address, json=body).status_code == 400
    assert alice.get(address).json == {"shares": []}


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


def test_jobs_of_a_shared_recording_are_listed_when_asked_for(
    bob: Person, make_person, recording: int, share
) -> None:
    share(bob)
    job = str(job_of(recording))
    assert [row["id"] for row in bob.get(f"/api/v1/jobs?recording_id={recording}").json["jobs"]] == [job]
    assert bob.get("/api/v1/jobs").json["jobs"] == []
    stranger = make_person("mallory")
    assert stranger.get(f"/api/v1/jobs?recording_id={recording}").json["jobs"] == []


def test_an_editor_cancels_and_a_viewer_does_not(
    app: Flask, alice: Person, bob: Person, make_person, upload
) -> None:
    recording = upload(alice).json["id"]
    job, viewer = job_of(recording), make_person("viewer")
    alice.post(f"{R}/{recording}/shares", json={"user_id": bob.id, "can_edit": True})
    alice.post(f"{R}/{recording}/shares", json={"user_id": viewer.id})
    assert viewer.post(f"/api/v1/jobs/{job}/cancel").status_code == 403
    assert bob.post(f"/api/v1/jobs/{job}/cancel").json["state"] == "cancelled"
    fresh = bob.post(f"/api/v1/jobs/{job}/retry")
    assert (fresh.status_code, fresh.json["kind"]) == (202, JobKind.TRANSCRIBE)


def test_a_stream_ends_with_the_share(
    app: Flask, alice: Person, bob: Person, recording: int, share, backends: Backends
) -> None:
    change(Recording, recording, status=RecordingStatus.PROCESSING)
    backends.live.forget(recording)
    share_id = share(bob)
    events = _watch(bob, recording)
    assert next(events)[0] == "status"
    backends.live.publish(recording, "segment", {"text": "For Bob"})
    assert next(events) == ("segment", '{"text":"For Bob"}')
    alice.delete(f"{R}/{recording}/shares/{share_id}")
    backends.live.publish(recording, "segment", {"text": "Not for Bob"})
    assert list(events) == [("deleted", f'{{"id":{recording}}}')]


def test_a_stream_ends_with_its_token(app: Flask, alice: Person, recording: int, backends: Backends) -> None:
    change(Recording, recording, status=RecordingStatus.PROCESSING)
    backends.live.forget(recording)
    events = _watch(alice, recording)
    assert next(events)[0] == "status"
    change(User, alice.id, is_active=False)
    backends.live.publish(recording, "segment", {"text": "Not any more"})
    assert [kind for kind, _ in events] == ["deleted"]


def _watch(person: Person, recording: int) -> Iterator[tuple[str, str]]:
    headers = {"Authorization": f"Bearer {person.token}"}
    answer = person.client.get(f"{R}/{recording}/live", headers=headers)
    for message in answer.response:
        lines = dict(line.split(": ", 1) for line in message.decode().splitlines() if line)
        if "event" in lines:
            yield lines["event"], lines["data"]


def test_finding_people(alice: Person, bob: Person, make_person) -> None:
    robert = make_person("ROBert")
    gone = make_person("bobby")
    with unit_of_work() as session:
        session.get_one(User, gone.id).is_active = False
        session.get_one(User, alice.id).name = "Bobbina"
    found = alice.get("/api/v1/users?query=ob")
    assert found.json == {
        "users": [
            {"id": bob.id, "username": "bob", "name": None},
            {"id": robert.id, "username": "ROBert", "name": None},
        ]
    }
    assert [user["id"] for user in bob.get("/api/v1/users?query=BOBBINA").json["users"]] == [alice.id]
    assert alice.get("/api/v1/users?query=%25%25").json == {"users": []}
    for query in ("", "?query=", "?query=b", "?query=%20b%20"):
        assert "query" in alice.get(f"/api/v1/users{query}").json["errors"]


def test_at_most_twenty_are_found(app: Flask, alice: Person) -> None:
    with unit_of_work():
        for number in range(25):
            users.create(username=f"person{number:02}")
    assert len(alice.get("/api/v1/users?query=person").json["users"]) == 20
