"""Requests about many recordings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from speakr.backends import Backends
from speakr.db import db, unit_of_work
from speakr.domain.permissions import Scope
from speakr.domain.recordings import RecordingStatus
from speakr.models import Event, Folder, Job, Recording, RecordingShare, Tag
from speakr.services.system import system_settings
from tests.conftest import Person

Upload = Callable[..., Any]
URL = "/api/v1/recordings/batch"


@pytest.fixture
def three(alice: Person, upload: Upload) -> list[int]:
    return [upload(alice, title=title).json["id"] for title in "abc"]


def ok(*ids: int) -> list[dict[str, Any]]:
    return [{"id": number, "success": True} for number in ids]


def test_marks_and_tags_change_together(alice: Person, three: list[int]) -> None:
    with unit_of_work() as session:
        session.add_all([Tag(id=1, user_id=alice.id, name="on"), Tag(id=2, user_id=alice.id, name="off")])
    alice.post(f"/api/v1/recordings/{three[0]}/tags", json={"tag_id": 2})
    answer = alice.patch(
        URL,
        json={
            "recording_ids": three[:2],
            "updates": {
                "is_inbox": False,
                "is_highlighted": True,
                "add_tag_ids": [1, 77],
                "remove_tag_ids": [2],
            },
        },
    )
    assert (answer.status_code, answer.json) == (
        200,
        {"success": True, "updated": 2, "failed": 0, "results": ok(*three[:2])},
    )
    items = {item["id"]: item for item in alice.get("/api/v1/recordings").json["recordings"]}
    for number in three[:2]:
        assert (items[number]["is_inbox"], items[number]["is_highlighted"]) == (False, True)
        assert [tag["name"] for tag in items[number]["tags"]] == ["on"]
    assert items[three[2]]["is_inbox"] is True
    events = db.session.scalars(
        select(Event).where(Event.type == "recording.updated").order_by(Event.id)
    ).all()
    assert [event.recording_id for event in events[-2:]] == three[:2]
    assert events[-1].data["fields_changed"] == ["is_inbox", "is_highlighted", "tags"]


def test_each_id_has_its_own_outcome(alice: Person, bob: Person, upload: Upload, three: list[int]) -> None:
    foreign = upload(bob).json["id"]
    shared = upload(bob).json["id"]
    with unit_of_work() as session:
        session.add(RecordingShare(recording_id=shared, user_id=alice.id, can_edit=True))
    wanted = [three[0], 999_999, foreign, shared, three[1], three[0]]
    answer = alice.patch(URL, json={"ids": wanted, "updates": {"is_inbox": False}}).json
    assert answer["results"] == [
        *ok(three[0]),
        {"id": 999_999, "success": False, "error": "Not found"},
        {"id": foreign, "success": False, "error": "Not found"},
        {"id": shared, "success": False, "error": "Permission denied"},
        *ok(three[1]),
    ]
    assert (answer["updated"], answer["failed"]) == (2, 3)
    assert bob.get(f"/api/v1/recordings/{foreign}").json["is_inbox"] is True


def test_moving_to_a_folder_is_checked_once_for_all(alice: Person, bob: Person, three: list[int]) -> None:
    with unit_of_work() as session:
        session.add_all(
            [Folder(id=1, user_id=alice.id, name="mine"), Folder(id=2, user_id=bob.id, name="his")]
        )
    move = {"recording_ids": three, "updates": {"folder_id": 1}}
    off = alice.patch(URL, json=move)
    assert (off.status_code, off.json["error"]) == (403, "Folders feature is not enabled")
    with unit_of_work():
        system_settings.put("enable_folders", value=True)
    foreign = alice.patch(URL, json={"recording_ids": three, "updates": {"folder_id": 2, "is_inbox": False}})
    assert (foreign.status_code, foreign.json["error"]) == (404, "Folder 2 not found")
    assert alice.get(f"/api/v1/recordings/{three[0]}").json["is_inbox"] is True
    assert alice.patch(URL, json=move).json["updated"] == 3
    assert alice.get("/api/v1/recordings?folder_id=1").json["pagination"]["total"] == 3
    assert (
        alice.patch(URL, json={"recording_ids": three, "updates": {"folder_id": None}}).json["updated"] == 3
    )
    assert alice.get("/api/v1/recordings?folder_id=none").json["pagination"]["total"] == 3


def test_deleting_many_takes_everything_along(
    alice: Person, bob: Person, upload: Upload, three: list[int], backends: Backends
) -> None:
    foreign = upload(bob).json["id"]
    keys = db.session.scalars(select(Recording.storage_key).where(Recording.user_id == alice.id)).all()
    answer = alice.delete(URL, json={"recording_ids": [*three, foreign]})
    assert answer.json["results"] == [*ok(*three), {"id": foreign, "success": False, "error": "Not found"}]
    assert (answer.json["deleted"], answer.json["failed"]) == (3, 1)
    assert not any(key and backends.storage.stat(key) for key in keys)
    assert db.session.scalar(select(func.count()).select_from(Job).where(Job.user_id == alice.id)) == 0
    events = db.session.scalars(select(Event.recording_id).where(Event.type == "recording.deleted"))
    assert sorted(events) == three
    assert bob.get(f"/api/v1/recordings/{foreign}").status_code == 200


def test_deletion_may_be_the_admins_alone(
    alice: Person, make_person: Callable[..., Person], three: list[int]
) -> None:
    with unit_of_work():
        system_settings.put("users_can_delete", value=False)
    refused = alice.delete(URL, json={"recording_ids": three})
    assert (refused.status_code, refused.json["error"]) == (403, "Deletion not allowed")
    plain = make_person("root", is_admin=True)
    assert plain.delete(URL, json={"recording_ids": three}).json["deleted"] == 0
    root = make_person("boss", is_admin=True, scopes=frozenset(Scope))
    assert root.delete(URL, json={"recording_ids": three}).json["deleted"] == 3


def test_transcribing_many(alice: Person, three: list[int]) -> None:
    with unit_of_work() as session:
        session.get_one(Recording, three[1]).storage_key = None
    answer = alice.post(f"{URL}/transcribe", json={"recording_ids": [*three, 999_999]}).json
    assert (answer["queued"], answer["failed"]) == (2, 2)
    first, second, third, fourth = answer["results"]
    assert first["success"] is third["success"] is True
    assert isinstance(first["job_id"], str)
    assert (second["error"], fourth["error"]) == ("Audio deleted", "Not found")


@pytest.mark.on_sqlite
@pytest.mark.parametrize("send", ["patch", "delete", "post"])
@pytest.mark.parametrize(
    "ids", [None, [], "1", {"0": 1}, [0], [-1], ["1"], [2**63], [1.5], [True], list(range(1, 5_002))]
)
def test_what_is_no_list_of_ids(alice: Person, send: str, ids: Any) -> None:
    body = {"updates": {"is_inbox": True}} | ({} if ids is None else {"recording_ids": ids})
    answer = getattr(alice, send)(f"{URL}/transcribe" if send == "post" else URL, json=body)
    assert answer.status_code == 400
    assert any(field.startswith("recording_ids") for field in answer.json["errors"])


@pytest.mark.parametrize(
    "updates",
    [None, {}, [], "x", {"is_inbox": "yes"}, {"add_tag_ids": 5}, {"add_tag_ids": ["x"]}, {"folder_id": 0}],
)
def test_what_changes_nothing(alice: Person, updates: Any) -> None:
    answer = alice.patch(URL, json={"recording_ids": [1], "updates": updates})
    assert answer.status_code == 400
    assert any(field.startswith("updates") for field in answer.json["errors"])


def test_five_thousand_take_no_more_statements_than_their_parts(
    alice: Person, count_statements: Callable[[], Any]
) -> None:
    with unit_of_work() as session:
        session.execute(
            Recording.__table__.insert(),
            [
                {
                    "user_id": alice.id,
                    "title": str(number),
                    "original_filename": "x.wav",
                    "mime_type": "audio/wav",
                    "file_size": 1,
                    "sha256": "0" * 64,
                    "status": RecordingStatus.COMPLETED,
                }
                for number in range(5_000)
            ],
        )
    ids = list(db.session.scalars(select(Recording.id).where(Recording.user_id == alice.id)))
    with count_statements() as counted:
        assert (
            alice.patch(URL, json={"recording_ids": ids, "updates": {"is_inbox": False}}).json["updated"]
            == 5_000
        )
    assert counted.number < 10 * 50
    with count_statements() as counted:
        assert alice.delete(URL, json={"recording_ids": ids}).json["deleted"] == 5_000
    assert counted.number < 15 * 50
