"""Events for clients that poll, an example of each, and notices."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
from flask import Flask
from sqlalchemy import select
from standardwebhooks import Webhook as Verifier

from speakr.db import db, release, unit_of_work
from speakr.domain.clock import isoformat_z, now
from speakr.domain.events import EVENTS, EventType, RecordingDeleted, RecordingUpdated
from speakr.domain.notices import NoticeKind
from speakr.domain.permissions import Scope
from speakr.domain.signatures import speakr_signature
from speakr.models import Delivery, Event, Notice
from speakr.services.accounts import notices
from speakr.services.webhooks import events
from speakr.services.webhooks.deliveries import samples
from tests.conftest import Person


@pytest.fixture
def settings(settings):
    return replace(settings, webhook_allowed_hosts="127.0.0.1/32")


@pytest.fixture
def happened(alice: Person, bob: Person) -> list[str]:
    """Three events of alice's, a minute apart until now, and one of bob's; the ids of hers, oldest first."""
    with unit_of_work():
        made = [
            events.record(alice.id, RecordingUpdated(recording_id=1, title="A", fields_changed=("title",))),
            events.record(alice.id, RecordingDeleted(recording_id=1, title="A")),
            events.record(alice.id, RecordingUpdated(recording_id=2, title="B", fields_changed=("notes",))),
        ]
        events.record(bob.id, RecordingDeleted(recording_id=3, title="Bob's"))
        for age, event in enumerate(reversed(made)):
            event.occurred_at = now() - timedelta(minutes=age)
    return [event.uuid for event in made]


def listed(person: Person, query: str = "") -> list[str]:
    answer = person.get(f"/api/v1/events?{query}")
    assert answer.status_code == 200, answer.json
    return [event["id"] for event in answer.json["events"]]


def test_events_are_listed_newest_first_as_webhooks_receive_them(
    alice: Person, bob: Person, happened: list[str]
) -> None:
    answer = alice.get("/api/v1/events").json
    assert (listed(alice), answer["limit"]) == (happened[::-1], 50)
    newest = answer["events"][0]
    assert newest["data"] == {"recording_id": 2, "title": "B", "fields_changed": ["notes"]}
    assert set(newest) == {"id", "type", "timestamp", "user_id", "data"}
    assert (newest["type"], newest["user_id"]) == ("recording.updated", alice.id)
    assert len(listed(bob)) == 1


def test_events_by_time_and_type_a_page_at_a_time(alice: Person, happened: list[str]) -> None:
    first, second, third = happened
    assert listed(alice, "type=recording.deleted") == [second]
    assert listed(alice, f"since={isoformat_z(now() - timedelta(seconds=90))}") == [third, second]
    assert listed(alice, f"since={isoformat_z(now() + timedelta(seconds=9))}") == []
    assert listed(alice, "limit=2") == [third, second]
    assert listed(alice, f"limit=2&before={second}") == [first]
    assert listed(alice, f"before={first}") == []


def test_time_decides_where_ids_are_not_in_its_order(alice: Person, happened: list[str]) -> None:
    with unit_of_work() as session:
        for each in session.scalars(select(Event).where(Event.user_id == alice.id)):
            each.occurred_at = now() - timedelta(minutes=happened.index(each.uuid))
    since = isoformat_z(now() - timedelta(seconds=90))
    assert listed(alice, f"since={since}") == [happened[1], happened[0]]


WRONG = {
    "type=x": "type",
    "since=soon": "since",
    "limit=0": "limit",
    "limit=201": "limit",
    "before=x": "before",
}


def test_invalid_fields_are_named(alice: Person) -> None:
    for query, field in WRONG.items():
        answer = alice.get(f"/api/v1/events?{query}")
        assert (answer.status_code, list(answer.json["errors"])) == (400, [field]), query


def test_events_of_others_are_no_place_to_go_on_from(alice: Person, bob: Person, happened: list[str]) -> None:
    assert bob.get(f"/api/v1/events?before={happened[0]}").status_code == 400


def test_an_event_has_the_same_id_and_words_in_both_ways(alice: Person) -> None:
    hook = a_webhook(alice)
    with unit_of_work():
        events.record(alice.id, RecordingDeleted(recording_id=1, title="\u00dcberblick"))
    (polled,) = alice.get("/api/v1/events").json["events"]
    assert orjson.loads(bodies(hook)[0]) == polled


def test_replays_and_tests_are_for_one_webhook_only(alice: Person) -> None:
    hook = a_webhook(alice)
    with unit_of_work():
        event = events.record(alice.id, RecordingDeleted(recording_id=1, title="A"))
    (first,) = alice.get(f"/api/v1/webhooks/{hook}/deliveries").json["deliveries"]
    alice.post(f"/api/v1/webhooks/{hook}/deliveries/{first['id']}/replay")
    alice.post(f"/api/v1/webhooks/{hook}/test")
    assert len(bodies(hook)) == 3
    assert listed(alice) == [event.uuid]
    assert listed(alice, "type=webhook.test") == []


def test_a_token_that_may_read_may_poll(make_person: Callable[..., Person]) -> None:
    reader = make_person("reader", scopes=frozenset({Scope.READ}))
    assert listed(reader) == []
    assert reader.get("/api/v1/notices").json == {"notices": [], "unread_count": 0, "limit": 50}
    assert reader.post("/api/v1/notices/1/read").status_code == 403
    assert reader.get("/api/v1/webhooks/sample").status_code == 403


def a_webhook(person: Person) -> int:
    form = {
        "name": "all",
        "url": "http://127.0.0.1:8765/",
        "events": [event.value for event in EventType],
        "allow_http": True,
    }
    return person.post("/api/v1/webhooks", json=form).json["id"]


def bodies(hook: int) -> list[str]:
    release()
    return list(
        db.session.scalars(select(Delivery.body).where(Delivery.webhook_id == hook).order_by(Delivery.id))
    )


def test_there_is_an_example_of_every_event_with_all_its_keys() -> None:
    assert [type(example) for example in samples.EXAMPLES] == list(EVENTS)
    for example in samples.EXAMPLES:
        assert None not in vars(example).values()


@pytest.mark.parametrize("style", ["full", "thin"])
def test_an_example_is_what_would_arrive(alice: Person, style: str) -> None:
    for event in EventType:
        shown = alice.get(f"/api/v1/webhooks/sample?event={event}&payload={style}").json
        headers, body = shown["headers"], shown["body"].encode()
        assert Verifier(shown["secret_standard"]).verify(body, headers) == shown["envelope"]
        assert headers["Speakr-Signature"] == speakr_signature(shown["secret"], body)
        assert orjson.loads(body) == shown["envelope"]
        assert shown["envelope"]["type"] == headers["Speakr-Event"] == event
        assert shown["envelope"]["user_id"] == alice.id
        assert ("title" in shown["envelope"]["data"]) == (style == "full" and event != "webhook.test")


def test_an_example_leaves_nothing_behind(app: Flask, alice: Person) -> None:
    shown = alice.get("/api/v1/webhooks/sample").json
    assert shown["envelope"]["type"] == "recording.summary.completed"
    assert uuid.UUID(shown["envelope"]["id"]).version == 4
    assert db.session.scalars(select(Event)).all() == []
    wrong = alice.get("/api/v1/webhooks/sample?event=x")
    assert (wrong.status_code, list(wrong.json["errors"])) == (400, ["event"])


def notice(person: Person, text: str, **more: Any) -> int:
    with unit_of_work() as session:
        made = notices.record(person.id, NoticeKind.WEBHOOK_PAUSED, text, **more)
        session.flush()  # to know made.id
        return made.id


def test_notices_are_listed_unread_ones_first_and_read_once(alice: Person, bob: Person) -> None:
    hook = a_webhook(alice)
    first, second, third = (
        notice(alice, "One"),
        notice(alice, "Two", webhook_id=hook),
        notice(alice, "x" * 600),
    )
    read = alice.post(f"/api/v1/notices/{third}/read").json
    assert read["read_at"] is not None
    assert len(read["text"]) == 500
    shown = alice.get("/api/v1/notices").json
    assert [one["id"] for one in shown["notices"]] == [second, first, third]
    assert shown["unread_count"] == 2
    assert {key: shown["notices"][0][key] for key in ("kind", "text", "webhook_id", "read_at")} == {
        "kind": "webhook.paused",
        "text": "Two",
        "webhook_id": hook,
        "read_at": None,
    }
    with unit_of_work() as session:
        session.get_one(Notice, third).read_at = now() - timedelta(days=1)
    again = alice.post(f"/api/v1/notices/{third}/read").json
    assert again["read_at"] < read["read_at"]
    assert [one["id"] for one in alice.get("/api/v1/notices?limit=1").json["notices"]] == [second]
    assert bob.get("/api/v1/notices").json["notices"] == []
    assert bob.post(f"/api/v1/notices/{first}/read").status_code == 404
    assert alice.get("/api/v1/notices?limit=0").status_code == 400


def test_a_notice_that_is_rolled_back_was_never_there(alice: Person) -> None:
    def fail() -> None:
        with unit_of_work():
            notices.record(alice.id, NoticeKind.WEBHOOK_PAUSED, "Never")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert alice.get("/api/v1/notices").json["notices"] == []
