"""Managing webhooks; sending is tested in tests/webhooks."""

from __future__ import annotations

import base64
from dataclasses import replace

import orjson
import pytest
from flask import Flask
from sqlalchemy import select

from speakr.db import db, release, unit_of_work
from speakr.models import Delivery, Webhook
from speakr.services.accounts.sealing import unseal
from tests.conftest import Person

GOOD = {
    "name": "n8n",
    "url": "http://127.0.0.1:8765/hook",
    "events": ["recording.created"],
    "allow_http": True,
}


@pytest.fixture
def settings(settings):
    return replace(settings, webhook_allowed_hosts="127.0.0.1/32")


def test_creating_shows_the_secret_once_in_both_forms(alice: Person) -> None:
    answer = alice.post("/api/v1/webhooks", json=GOOD)
    assert answer.status_code == 201
    made = answer.json
    assert len(made["secret"]) == 43
    assert base64.b64decode(made["secret_standard"].removeprefix("whsec_")).decode() == made["secret"]
    listed = alice.get("/api/v1/webhooks").json
    assert listed["webhooks"][0] == {key: value for key, value in made.items() if "secret" not in key}
    assert "secret" not in alice.get(f"/api/v1/webhooks/{made['id']}").json
    assert len(listed["event_types"]) == 10
    assert listed["max_per_user"] == 10


def test_secrets_are_sealed_at_rest(app: Flask, alice: Person) -> None:
    secret = alice.post("/api/v1/webhooks", json=GOOD).json["secret"]
    row = db.session.scalars(select(Webhook)).one()
    assert secret not in row.secret_sealed
    assert unseal(row.secret_sealed) == secret


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": ""}, "name is required"),
        ({"name": "  "}, "name is required"),
        ({"url": ""}, "url is required"),
        ({"events": []}, "events must be a non-empty list"),
        ({"events": ["recording.exploded"]}, "unknown event types"),
        ({"url": "ftp://example.com/"}, ""),
        ({"url": "http://127.0.0.1:8765/", "allow_http": False}, ""),
        ({"url": "https://10.0.0.1/"}, "WEBHOOK_INTRANET_HOST_ALLOWLIST"),
        ({"url": "not a url"}, ""),
        ({"url": "https://169.254.169.254/latest"}, ""),
        ({"name": 5}, "name"),
        ({"events": "recording.created"}, "events"),
    ],
)
def test_invalid_fields_are_named(alice: Person, change: dict, sentence: str) -> None:
    answer = alice.post("/api/v1/webhooks", json={**GOOD, **change})
    assert answer.status_code == 400
    assert sentence in answer.json["error"]


@pytest.mark.on_sqlite
def test_unknown_events_come_with_the_known_ones(alice: Person) -> None:
    answer = alice.post("/api/v1/webhooks", json={**GOOD, "events": ["x"]})
    assert "recording.deleted" in answer.json["allowed"]


def test_the_cap(alice: Person) -> None:
    for _ in range(10):
        assert alice.post("/api/v1/webhooks", json=GOOD).status_code == 201
    answer = alice.post("/api/v1/webhooks", json=GOOD)
    assert (answer.status_code, answer.json["error"]) == (409, "Per-user webhook cap reached (10/10)")
    assert answer.json["max_per_user"] == 10


def test_changing_enabling_and_deleting(app: Flask, alice: Person) -> None:
    made = alice.post("/api/v1/webhooks", json=GOOD).json["id"]
    path = f"/api/v1/webhooks/{made}"
    with unit_of_work() as session:
        row = session.get_one(Webhook, made)
        row.enabled, row.auto_paused, row.consecutive_failures = False, True, 10
    shown = alice.patch(path, json={"enabled": True, "name": "new", "events": ["recording.deleted"] * 2}).json
    assert (shown["enabled"], shown["auto_paused"], shown["consecutive_failures"]) == (True, False, 0)
    assert (shown["name"], shown["events"]) == ("new", ["recording.deleted"])
    assert alice.patch(path, json={"name": " "}).json["error"] == "name cannot be empty"
    assert alice.patch(path, json={"allow_http": False}).status_code == 400
    assert alice.patch(path, json={"events": []}).status_code == 400
    assert alice.delete(path).status_code == 204
    assert alice.get(path).status_code == 404
    assert alice.delete(path).status_code == 404


def test_webhooks_of_others_are_not_there(alice: Person, bob: Person) -> None:
    made = bob.post("/api/v1/webhooks", json=GOOD).json["id"]
    path = f"/api/v1/webhooks/{made}"
    answers = [
        alice.get(path),
        alice.patch(path, json={}),
        alice.delete(path),
        alice.post(f"{path}/test"),
        alice.post(f"{path}/rotate-secret"),
        alice.get(f"{path}/deliveries"),
        alice.get(f"{path}/deliveries/1"),
        alice.post(f"{path}/deliveries/1/replay"),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert {answer.json["error"] for answer in answers} == {"Webhook not found"}


def test_rotation_keeps_the_old_secret_for_a_day(app: Flask, alice: Person) -> None:
    made = alice.post("/api/v1/webhooks", json=GOOD).json
    fresh = alice.post(f"/api/v1/webhooks/{made['id']}/rotate-secret").json
    assert fresh["secret"] != made["secret"]
    row = db.session.scalars(select(Webhook)).one()
    assert row.previous_secret_sealed is not None
    assert unseal(row.previous_secret_sealed) == made["secret"]
    assert row.previous_secret_until is not None


def test_test_and_replay(app: Flask, alice: Person) -> None:
    made = alice.post("/api/v1/webhooks", json=GOOD).json["id"]
    answer = alice.post(f"/api/v1/webhooks/{made}/test")
    assert answer.status_code == 202
    first = answer.json
    assert (first["event_type"], first["status"], first["attempt_count"]) == ("webhook.test", "pending", 0)
    detail = alice.get(f"/api/v1/webhooks/{made}/deliveries/{first['id']}").json
    body = orjson.loads(detail["payload"])
    assert list(body) == ["id", "type", "timestamp", "user_id", "data"]
    assert body["data"]["webhook_id"] == made
    again = alice.post(f"/api/v1/webhooks/{made}/deliveries/{first['id']}/replay").json
    replayed = orjson.loads(alice.get(f"/api/v1/webhooks/{made}/deliveries/{again['id']}").json["payload"])
    assert replayed["replayed_from"] == body["id"] != replayed["id"]
    assert list(replayed)[-1] == "replayed_from"
    assert replayed["data"] == body["data"]
    listed = alice.get(f"/api/v1/webhooks/{made}/deliveries").json
    assert ([row["id"] for row in listed["deliveries"]], listed["limit"]) == ([again["id"], first["id"]], 50)
    alice.patch(f"/api/v1/webhooks/{made}", json={"enabled": False})
    assert alice.post(f"/api/v1/webhooks/{made}/test").status_code == 409


@pytest.mark.parametrize(("asked", "used"), [("0", 1), ("500", 200), ("junk", 50), ("7", 7), ("-3", 1)])
def test_limits_are_clamped_as_documented(alice: Person, asked: str, used: int) -> None:
    made = alice.post("/api/v1/webhooks", json=GOOD).json["id"]
    assert alice.get(f"/api/v1/webhooks/{made}/deliveries?limit={asked}").json["limit"] == used


def test_a_paused_webhook_holds_and_a_disabled_one_gets_nothing(app: Flask, alice: Person, upload) -> None:
    paused, off = (alice.post("/api/v1/webhooks", json=GOOD).json["id"] for _ in range(2))
    alice.patch(f"/api/v1/webhooks/{off}", json={"enabled": False})
    with unit_of_work() as session:
        row = session.get_one(Webhook, paused)
        row.enabled, row.auto_paused = False, True
    upload(alice)
    release()
    assert [row.webhook_id for row in db.session.scalars(select(Delivery))] == [paused]


def test_payload_of_an_upload(app: Flask, alice: Person, upload) -> None:
    alice.post("/api/v1/webhooks", json=GOOD)
    made = upload(alice, title="Ünïcode").json
    release()
    body = db.session.scalars(select(Delivery.body)).one()
    assert "Ünïcode" in body
    assert ": " not in body
    parsed = orjson.loads(body)
    assert parsed["data"] == {
        "recording_id": made["id"],
        "title": "Ünïcode",
        "file_size": made["file_size"],
        "original_filename": "meeting.wav",
    }
    assert parsed["timestamp"].endswith("Z")
    assert parsed["user_id"] == alice.id
