"""Options of a webhook: filters, payload, pace."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from flask import Flask
from sqlalchemy import select

from speakr.db import db, release, unit_of_work
from speakr.domain import headers as header_rules
from speakr.domain.headers import RESERVED
from speakr.models import Delivery, Recording, Webhook
from speakr.services.webhooks import webhook_options
from tests.conftest import Person

GOOD = {
    "name": "n8n",
    "url": "http://127.0.0.1:8765/hook",
    "events": ["recording.updated", "recording.deleted"],
    "allow_http": True,
}
MASK = webhook_options.MASK


@pytest.fixture
def settings(settings):
    return replace(settings, webhook_allowed_hosts="127.0.0.1/32", enable_folders=True)


def make(person: Person, **options: Any) -> dict[str, Any]:
    answer = person.post("/api/v1/webhooks", json={**GOOD, **options})
    assert answer.status_code == 201, answer.json
    return answer.json


def a_recording(person: Person) -> int:
    with unit_of_work() as session:
        recording = Recording(
            user_id=person.id,
            title="Stand-up",
            original_filename="a.wav",
            mime_type="audio/wav",
            file_size=1,
            sha256="0" * 64,
        )
        session.add(recording)
        session.flush()  # to know recording.id
        return recording.id


def sent_bodies(hook: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the bodies written for a webhook, oldest first."""
    release()
    bodies = db.session.scalars(
        select(Delivery.body).where(Delivery.webhook_id == hook["id"]).order_by(Delivery.id)
    )
    return [orjson.loads(body) for body in bodies]


def test_the_defaults(alice: Person) -> None:
    shown = alice.get(f"/api/v1/webhooks/{make(alice)['id']}").json
    assert {name: shown[name] for name in ("tag_ids", "folder_ids", "payload", "headers", "ordered")} == {
        "tag_ids": None,
        "folder_ids": None,
        "payload": "full",
        "headers": {},
        "ordered": False,
    }
    assert [shown[name] for name in ("max_in_flight", "max_per_second", "when_paused", "paused_at")] == [
        None,
        None,
        "hold",
        None,
    ]


def test_what_is_chosen_is_shown_and_can_be_changed_back(alice: Person) -> None:
    tag = alice.post("/api/v1/tags", json={"name": "Work"}).json["id"]
    folder = alice.post("/api/v1/folders", json={"name": "Team"}).json["id"]
    chosen = {
        "tag_ids": [tag],
        "folder_ids": [folder],
        "payload": "thin",
        "ordered": True,
        "max_in_flight": 2,
        "max_per_second": 100,
        "when_paused": "drop",
    }
    hook = make(alice, **{**chosen, "tag_ids": [tag, tag]})
    path = f"/api/v1/webhooks/{hook['id']}"
    assert chosen.items() <= hook.items()
    assert chosen.items() <= alice.get(path).json.items()
    plain = {
        "tag_ids": None,
        "folder_ids": None,
        "payload": "full",
        "ordered": False,
        "max_in_flight": None,
        "max_per_second": None,
        "when_paused": "hold",
    }
    assert plain.items() <= alice.patch(path, json={**plain, "folder_ids": []}).json.items()
    assert alice.patch(path, json={"name": "other"}).json["payload"] == "full"


WRONG: tuple[dict[str, Any], ...] = (
    {"tag_ids": [999_999]},
    {"tag_ids": "1"},
    {"tag_ids": [0]},
    {"tag_ids": [1] * 101},
    {"folder_ids": [999_999]},
    {"payload": "fat"},
    {"payload": None},
    {"ordered": "yes"},
    {"max_in_flight": 0},
    {"max_in_flight": 9},
    {"max_in_flight": 1.5},
    {"max_per_second": 0},
    {"max_per_second": 101},
    {"when_paused": "forget"},
    {"headers": "X: y"},
    {"headers": {"X": 5}},
    {"headers": {"": "y"}},
    {"headers": {"X Y": "y"}},
    {"headers": {"X:": "y"}},
    {"headers": {"Gr\u00fcezi": "y"}},
    {"headers": {"X": "a\r\nHost: evil"}},
    {"headers": {"X": "a\nb"}},
    {"headers": {"X": "a\x00b"}},
    {"headers": {"X": "a\x7fb"}},
    {"headers": {"X": "a" * 1_001}},
    {"headers": {"X" * 101: "a"}},
    {"headers": {f"X-{number}": "a" for number in range(21)}},
    {"headers": {"X-Key": "a", "x-key": "b"}},
    {"headers": {"X": MASK}},
    {"headers": {"Speakr-Signature": "a"}},
    {"headers": {"WEBHOOK-ID": "a"}},
    {"headers": {"Proxy-Authorization": "a"}},
    {"headers": {"Cookie": "a"}},
    {"headers": {"hOST": "a"}},
)


def test_errors_name_the_field(alice: Person) -> None:
    for change in WRONG:
        (field,) = change
        answer = alice.post("/api/v1/webhooks", json={**GOOD, **change})
        assert answer.status_code == 400, change
        assert {name.partition(".")[0] for name in answer.json["errors"]} == {field}, change
    assert alice.get("/api/v1/webhooks").json["webhooks"] == []


def test_what_frames_the_message_is_ours() -> None:
    for name in RESERVED:
        assert header_rules.problems({name.title(): "a"}) == [f"{name.title()!r} is set by Speakr itself"]


def test_a_wrong_change_changes_nothing(alice: Person) -> None:
    hook = make(alice, headers={"X-Key": "one"})
    path = f"/api/v1/webhooks/{hook['id']}"
    assert alice.patch(path, json={"name": "new", "headers": {"Host": "x"}}).status_code == 400
    assert alice.get(path).json["name"] == "n8n"


def test_tags_and_folders_of_others_are_not_there(alice: Person, bob: Person) -> None:
    tag = bob.post("/api/v1/tags", json={"name": "Work"}).json["id"]
    folder = bob.post("/api/v1/folders", json={"name": "Team"}).json["id"]
    for change in ({"tag_ids": [tag]}, {"folder_ids": [folder]}):
        answer = alice.post("/api/v1/webhooks", json={**GOOD, **change})
        assert (answer.status_code, list(answer.json["errors"])) == (400, list(change))


def test_headers_are_sealed_and_masked(app: Flask, alice: Person) -> None:
    hook = make(alice, headers={"Authorization": "Bearer swordfish", "X-Team": " blue "})
    path = f"/api/v1/webhooks/{hook['id']}"
    assert hook["headers"] == alice.get(path).json["headers"] == {"Authorization": MASK, "X-Team": MASK}
    row = db.session.get_one(Webhook, hook["id"])
    assert "swordfish" not in (row.headers_sealed or "")
    assert webhook_options.headers_of(row) == {"Authorization": "Bearer swordfish", "X-Team": "blue"}


def test_a_mask_sent_back_keeps_the_value(app: Flask, alice: Person) -> None:
    hook = make(alice, headers={"Authorization": "Bearer swordfish", "X-Team": "blue"})
    path = f"/api/v1/webhooks/{hook['id']}"
    shown = alice.patch(path, json={"headers": {"authorization": MASK, "X-New": "1"}}).json["headers"]
    assert shown == {"authorization": MASK, "X-New": MASK}
    release()
    row = db.session.get_one(Webhook, hook["id"])
    assert webhook_options.headers_of(row) == {"authorization": "Bearer swordfish", "X-New": "1"}
    assert alice.patch(path, json={"headers": None}).json["headers"] == {}
    release()
    assert db.session.get_one(Webhook, hook["id"]).headers_sealed is None


def test_headers_that_cannot_be_read_any_more_are_not_shown(app: Flask, alice: Person) -> None:
    hook = make(alice, headers={"X-Team": "blue"})
    with unit_of_work() as session:
        session.get_one(Webhook, hook["id"]).headers_sealed = "sealed with another key"
    assert alice.get(f"/api/v1/webhooks/{hook['id']}").json["headers"] == {}


def test_thin_payloads_contain_ids_only(alice: Person) -> None:
    thin, full = make(alice, payload="thin"), make(alice)
    number = a_recording(alice)
    alice.patch(f"/api/v1/recordings/{number}", json={"title": "A secret title"})
    (small,), (whole,) = sent_bodies(thin), sent_bodies(full)
    assert small["data"] == {"recording_id": number}
    assert whole["data"] == {
        "recording_id": number,
        "title": "A secret title",
        "fields_changed": ["title"],
    }
    assert {**small, "data": whole["data"]} == whole
    assert list(small) == list(whole)
    alice.post(f"/api/v1/webhooks/{thin['id']}/test")
    assert sent_bodies(thin)[-1]["data"] == {"webhook_id": thin["id"]}
    first = alice.get(f"/api/v1/webhooks/{thin['id']}/deliveries").json["deliveries"][-1]
    alice.post(f"/api/v1/webhooks/{thin['id']}/deliveries/{first['id']}/replay")
    assert sent_bodies(thin)[-1]["data"] == {"recording_id": number}


def test_filters_by_tag_and_folder(alice: Person) -> None:
    tags = [alice.post("/api/v1/tags", json={"name": name}).json["id"] for name in "ab"]
    folder = alice.post("/api/v1/folders", json={"name": "Team"}).json["id"]
    everything = make(alice)
    tagged = make(alice, tag_ids=tags)
    filed = make(alice, folder_ids=[folder])
    both = make(alice, tag_ids=tags, folder_ids=[folder])
    plain, with_tag, in_folder, with_both = (a_recording(alice) for _ in range(4))
    for number in (with_tag, with_both):
        alice.post(f"/api/v1/recordings/{number}/tags", json={"tag_ids": tags[1:]})
    for number in (in_folder, with_both):
        alice.patch(f"/api/v1/recordings/{number}", json={"folder_id": folder})
    with unit_of_work() as session:
        session.execute(Delivery.__table__.delete())  # type: ignore[attr-defined] # a mapped class's table
    numbers = [plain, with_tag, in_folder, with_both]
    for number in numbers:
        alice.patch(f"/api/v1/recordings/{number}", json={"title": "New"})
    alice.delete("/api/v1/recordings/batch", json={"recording_ids": numbers})

    def received(hook: dict[str, Any]) -> list[tuple[str, int]]:
        return [(body["type"].rpartition(".")[2], body["data"]["recording_id"]) for body in sent_bodies(hook)]

    def each(*wanted: int) -> list[tuple[str, int]]:
        return [("updated", number) for number in wanted] + [("deleted", number) for number in wanted]

    assert received(everything) == each(*numbers)
    assert received(tagged) == each(with_tag, with_both)
    assert received(filed) == each(in_folder, with_both)
    assert received(both) == each(with_both)
    alice.post(f"/api/v1/webhooks/{both['id']}/test")
    assert sent_bodies(both)[-1]["type"] == "webhook.test"


def test_a_recording_is_judged_by_how_it_is_filed_after_the_change(alice: Person) -> None:
    tag = alice.post("/api/v1/tags", json={"name": "a"}).json["id"]
    hook = make(alice, tag_ids=[tag])
    number = a_recording(alice)
    alice.post(f"/api/v1/recordings/{number}/tags", json={"tag_ids": [tag]})
    alice.delete(f"/api/v1/recordings/{number}/tags/{tag}")
    assert [body["data"]["fields_changed"] for body in sent_bodies(hook)] == [["tags"]]
    assert len(sent_bodies(hook)) == 1


def test_a_tag_that_is_gone_matches_nothing(alice: Person) -> None:
    tag = alice.post("/api/v1/tags", json={"name": "a"}).json["id"]
    hook = make(alice, tag_ids=[tag])
    number = a_recording(alice)
    alice.post(f"/api/v1/recordings/{number}/tags", json={"tag_ids": [tag]})
    alice.delete(f"/api/v1/tags/{tag}")
    alice.patch(f"/api/v1/recordings/{number}", json={"title": "New"})
    assert len(sent_bodies(hook)) == 1
    assert alice.get(f"/api/v1/webhooks/{hook['id']}").json["tag_ids"] == [tag]


STATES: tuple[tuple[dict[str, Any], int], ...] = (
    ({"enabled": False, "auto_paused": True, "when_paused": "hold"}, 1),
    ({"enabled": False, "auto_paused": True, "when_paused": "drop"}, 0),
    ({"enabled": False, "auto_paused": False, "when_paused": "hold"}, 0),
    ({"enabled": True, "auto_paused": False, "when_paused": "drop"}, 1),
)


def test_what_is_written_while_a_webhook_is_off(alice: Person) -> None:
    number = a_recording(alice)
    for state, count in STATES:
        hook = make(alice)
        with unit_of_work() as session:
            row = session.get_one(Webhook, hook["id"])
            for name, value in state.items():
                setattr(row, name, value)
        alice.patch(f"/api/v1/recordings/{number}", json={"title": "New"})
        assert len(sent_bodies(hook)) == count, state
