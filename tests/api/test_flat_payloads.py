"""Flat payloads: a recording with its texts as one object, with keys that the owner names."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from speakr.db import db
from speakr.domain.flat_recordings import ALL_KEYS
from speakr.models import Delivery
from tests.conftest import Person

KEYS = {"number": "id", "heading": "title", "said": "text", "raw": "recognized_text"}
HOOK = {
    "name": "flat",
    "url": "http://127.0.0.1:9000/",
    "allow_http": True,
    "events": ["recording.transcription.completed"],
    "payload": "flat",
}


@pytest.fixture
def settings(settings: Any) -> Any:
    from dataclasses import replace

    return replace(settings, webhook_allowed_hosts="127.0.0.1/32")


def made(person: Person, **options: Any) -> dict[str, Any]:
    answer = person.post("/api/v1/webhooks", json={**HOOK, **options})
    assert answer.status_code == 201, answer.json
    shown: dict[str, Any] = answer.json
    return shown


def bodies(webhook_id: int) -> list[dict[str, Any]]:
    rows = db.session.query(Delivery).filter_by(webhook_id=webhook_id).order_by(Delivery.id).all()
    return [json.loads(row.body) for row in rows]


def test_a_flat_payload_is_the_recording_with_its_texts(
    alice: Person, upload: Callable[..., Any], work: Callable[[], None]
) -> None:
    hook = made(alice)
    assert (hook["payload"], "payload_keys" in hook, "preference" in hook) == ("flat", False, False)
    tag = alice.post("/api/v1/tags", json={"name": "work"}).json["id"]
    number = upload(alice, title="Stand-up", tag_ids=str(tag)).json["id"]
    work()
    (body,) = bodies(hook["id"])
    assert list(body) == list(ALL_KEYS)
    assert body["id"] == number
    assert (body["title"], body["tags"]) == ("Stand-up", "work")
    assert body["text"] == body["recognized_text"] == "heard 0.1-0.4 heard 0.5-0.9"
    assert datetime.fromisoformat(body["created_at"]).utcoffset() is not None


def test_the_owner_names_the_keys(
    alice: Person, upload: Callable[..., Any], work: Callable[[], None]
) -> None:
    hook = made(alice, payload_keys=KEYS)
    assert hook["payload_keys"] == KEYS
    number = upload(alice, title="Stand-up").json["id"]
    work()
    (body,) = bodies(hook["id"])
    assert list(body) == list(KEYS)
    assert (body["number"], body["heading"]) == (number, "Stand-up")
    patched = alice.patch(f"/api/v1/webhooks/{hook['id']}", json={"payload_keys": None}).json
    assert "payload_keys" not in patched


def test_a_replay_has_the_present_text(
    alice: Person, upload: Callable[..., Any], work: Callable[[], None]
) -> None:
    hook = made(alice)
    number = upload(alice).json["id"]
    work()
    first = db.session.query(Delivery).filter_by(webhook_id=hook["id"]).one().id
    alice.put(f"/api/v1/recordings/{number}/transcript", json={"text": "Corrected."})
    alice.post(f"/api/v1/webhooks/{hook['id']}/deliveries/{first}/replay")
    assert [(body["text"] == "Corrected.") for body in bodies(hook["id"])] == [False, True]
    assert bodies(hook["id"])[1]["recognized_text"] == bodies(hook["id"])[0]["text"]


def test_the_replay_of_a_deleted_recording_has_its_title_only(
    alice: Person, upload: Callable[..., Any], work: Callable[[], None]
) -> None:
    hook = made(alice)
    number = upload(alice, title="Gone").json["id"]
    work()
    first = db.session.query(Delivery).filter_by(webhook_id=hook["id"]).one().id
    assert alice.delete(f"/api/v1/recordings/{number}").status_code == 200
    answer = alice.post(f"/api/v1/webhooks/{hook['id']}/deliveries/{first}/replay")
    assert answer.status_code == 202
    again = bodies(hook["id"])[1]
    assert (again["id"], again["title"], again["text"]) == (number, "Gone", "")


def test_a_test_delivery_has_the_keys(alice: Person) -> None:
    hook = made(alice, payload_keys=KEYS)
    assert alice.post(f"/api/v1/webhooks/{hook['id']}/test").status_code == 202
    assert bodies(hook["id"]) == [{"number": 0, "heading": "Test", "said": "", "raw": ""}]


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"events": ["recording.transcription.completed", "recording.deleted"]}, "events"),
        ({"payload_keys": {"a": "summary"}}, "payload_keys"),
        ({"payload_keys": {"": "title"}}, "payload_keys"),
        ({"payload_keys": {str(n): "title" for n in range(21)}}, "payload_keys"),
        ({"payload_keys": ["title"]}, "payload_keys"),
    ],
)
def test_wrong_options_are_refused(alice: Person, options: dict[str, Any], field: str) -> None:
    answer = alice.post("/api/v1/webhooks", json={**HOOK, **options})
    assert (answer.status_code, answer.json["code"]) == (400, "invalid")
    assert any(name.startswith(field) for name in answer.json["errors"]), answer.json


@pytest.mark.on_sqlite
def test_a_change_to_other_events_is_refused(alice: Person) -> None:
    path = f"/api/v1/webhooks/{made(alice)['id']}"
    assert alice.patch(path, json={"events": ["recording.created"]}).status_code == 400
    assert alice.get(path).json["events"] == HOOK["events"]
    changed = alice.patch(path, json={"events": ["recording.created"], "payload": "full"})
    assert changed.status_code == 200


@pytest.mark.on_sqlite
def test_there_is_no_example_of_a_flat_payload(alice: Person) -> None:
    assert alice.get("/api/v1/webhooks/sample?payload=flat").status_code == 400
