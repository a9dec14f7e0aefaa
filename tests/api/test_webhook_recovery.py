"""Recovery of deliveries by their owner: list, send again, cancel, and release held ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from speakr.db import db, release, unit_of_work
from speakr.domain.clock import isoformat_z, now
from speakr.domain.deliveries import DeliveryStatus
from speakr.domain.events import RecordingDeleted
from speakr.models import Delivery, Event, Webhook
from speakr.services.webhooks import events
from speakr.services.webhooks.deliveries import recovery, waiting
from tests.conftest import Person

PENDING, SUCCESS = DeliveryStatus.PENDING, DeliveryStatus.SUCCESS
FAILED, ENDED = DeliveryStatus.FAILED, DeliveryStatus.PERMANENT_FAILURE
HOOK = {
    "name": "n8n",
    "url": "http://127.0.0.1:8765/hook",
    "events": ["recording.deleted"],
    "allow_http": True,
}
START = datetime.fromisoformat("2026-01-15T09:00:00Z")

Sent = Callable[..., list[int]]


@pytest.fixture
def settings(settings):
    return replace(settings, webhook_allowed_hosts="127.0.0.1/32")


@pytest.fixture
def hook(alice: Person) -> int:
    return alice.post("/api/v1/webhooks", json=HOOK).json["id"]


@pytest.fixture
def sent(alice: Person, hook: int) -> Sent:
    """Write deliveries, a minute apart from START on, in these states; return their ids, oldest first."""

    def write(*states: DeliveryStatus, claimed: bool = False) -> list[int]:
        with unit_of_work() as session:
            events.record_all(
                alice.id, [RecordingDeleted(recording_id=n, title="Gone") for n in range(len(states))]
            )
            rows = session.scalars(
                select(Delivery).where(Delivery.webhook_id == hook).order_by(Delivery.id.desc())
            ).fetchmany(len(states))[::-1]
            for minute, (row, state) in enumerate(zip(rows, states, strict=True)):
                row.status, row.created_at = state, START + timedelta(minutes=minute)
                row.next_attempt_at = (
                    row.created_at + timedelta(days=300) if state in {PENDING, FAILED} else None
                )
                row.claimed_until = now() + timedelta(minutes=1) if claimed else None
            return [row.id for row in rows]

    return write


def recover(person: Person, hook: int, **body: Any) -> Any:
    return person.post(f"/api/v1/webhooks/{hook}/recover", json={"since": isoformat_z(START), **body})


def rows(hook: int) -> list[Delivery]:
    release()
    return list(db.session.scalars(select(Delivery).where(Delivery.webhook_id == hook).order_by(Delivery.id)))


def listed(person: Person, hook: int, query: str = "") -> list[int]:
    answer = person.get(f"/api/v1/webhooks/{hook}/deliveries?{query}")
    assert answer.status_code == 200, answer.json
    return [row["id"] for row in answer.json["deliveries"]]


def test_deliveries_are_found_by_state_type_and_time(alice: Person, hook: int, sent: Sent) -> None:
    first, second, third, fourth = sent(SUCCESS, FAILED, ENDED, PENDING)
    test = alice.post(f"/api/v1/webhooks/{hook}/test").json["id"]
    assert listed(alice, hook) == [test, fourth, third, second, first]
    assert listed(alice, hook, "status=failed") == [second]
    assert listed(alice, hook, "event_type=webhook.test") == [test]
    assert listed(alice, hook, f"since={isoformat_z(START + timedelta(minutes=2))}") == [test, fourth, third]
    assert listed(alice, hook, f"since={isoformat_z(now() + timedelta(days=1))}") == []
    assert listed(alice, hook, "limit=2") == [test, fourth]
    assert listed(alice, hook, f"limit=2&before={fourth}") == [third, second]
    assert listed(alice, hook, f"before={first}") == []
    assert listed(alice, hook, f"status=pending&before={test}") == [fourth]
    for query, field in {
        "status=lost": "status",
        "event_type=x": "event_type",
        "since=soon": "since",
        "before=0": "before",
    }.items():
        answer = alice.get(f"/api/v1/webhooks/{hook}/deliveries?{query}")
        assert (answer.status_code, list(answer.json["errors"])) == (400, [field])


def test_the_last_attempts_length_is_shown(alice: Person, hook: int, sent: Sent) -> None:
    (one,) = sent(SUCCESS)
    with unit_of_work() as session:
        session.get_one(Delivery, one).duration_ms = 42
    shown = alice.get(f"/api/v1/webhooks/{hook}/deliveries/{one}").json
    assert (shown["duration_ms"], shown["attempt_count"], shown["replayed_as"]) == (42, 0, None)


def test_failures_are_sent_again_once_for_repeated_requests(alice: Person, hook: int, sent: Sent) -> None:
    ids = sent(SUCCESS, FAILED, ENDED, PENDING)
    answer = recover(alice, hook)
    assert (answer.status_code, answer.json) == (202, {"recovered": 2, "complete": True})
    assert recover(alice, hook).json["recovered"] == 0
    before, after = rows(hook)[:4], rows(hook)[4:]
    assert [row.id for row in before] == ids
    assert [row.status for row in before] == [SUCCESS, ENDED, ENDED, PENDING]
    assert before[1].next_attempt_at is None  # or it would arrive twice
    assert [row.replayed_as for row in before] == [
        None,
        after[0].event_uuid,
        after[1].event_uuid,
        None,
    ]
    for old, new in zip(before[1:3], after, strict=True):
        resent, once = (orjson.loads(row.body) for row in (new, old))
        assert (new.status, new.attempt_count, new.next_attempt_at) == (PENDING, 0, new.created_at)
        assert resent == {
            **once,
            "id": new.event_uuid,
            "timestamp": isoformat_z(new.created_at),
            "replayed_from": old.event_uuid,
        }
        assert db.session.scalar(select(Event.replayed_from).where(Event.uuid == new.event_uuid)) == (
            old.event_uuid
        )
    assert db.session.get_one(Webhook, hook).consecutive_failures == 0


def test_only_the_requested_failures_are_sent_again(alice: Person, hook: int, sent: Sent) -> None:
    _, second, third = sent(ENDED, FAILED, ENDED)
    since = isoformat_z(START + timedelta(minutes=1))
    assert recover(alice, hook, since=since, event_types=["webhook.test"]).json["recovered"] == 0
    assert recover(alice, hook, since=since, status=["failed"]).json["recovered"] == 1
    assert recover(alice, hook, since=since, event_types=["recording.deleted"]).json["recovered"] == 1
    assert [row.id for row in rows(hook) if row.replayed_as] == [second, third]


def test_a_replay_that_failed_can_be_recovered_in_turn(alice: Person, hook: int, sent: Sent) -> None:
    sent(ENDED)
    recover(alice, hook)
    again = rows(hook)[-1].id
    with unit_of_work() as session:
        session.get_one(Delivery, again).status = ENDED
    assert recover(alice, hook).json["recovered"] == 1
    first, second, third = (orjson.loads(row.body) for row in rows(hook))
    assert (second["replayed_from"], third["replayed_from"]) == (first["id"], second["id"])


def test_what_is_under_way_is_left_alone(alice: Person, hook: int, sent: Sent) -> None:
    sent(FAILED, claimed=True)
    assert recover(alice, hook).json["recovered"] == 0


WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "since"),
    ({"since": "yesterday"}, "since"),
    ({"since": isoformat_z(START), "status": ["success"]}, "status"),
    ({"since": isoformat_z(START), "status": []}, "status"),
    ({"since": isoformat_z(START), "event_types": ["x"]}, "event_types"),
)


@pytest.mark.on_sqlite
def test_an_invalid_recovery_is_reported(alice: Person, hook: int) -> None:
    for body, field in WRONG:
        answer = alice.post(f"/api/v1/webhooks/{hook}/recover", json=body)
        assert answer.status_code == 400, body
        assert {name.partition(".")[0] for name in answer.json["errors"]} == {field}, body


def test_many_are_recovered_a_part_at_a_time(
    alice: Person, hook: int, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "AT_ONCE", 2)
    monkeypatch.setattr(recovery, "MAX_EVENTS", 4)
    ids = sent(*[ENDED] * 5)
    assert recover(alice, hook).json == {"recovered": 4, "complete": False}
    assert recover(alice, hook).json == {"recovered": 1, "complete": True}
    assert recover(alice, hook).json == {"recovered": 0, "complete": True}
    origins = Counter(orjson.loads(row.body).get("replayed_from") for row in rows(hook)[5:])
    assert origins == Counter(row.event_uuid for row in rows(hook)[:5])
    assert [row.id for row in rows(hook)[:5]] == ids


def test_a_key_makes_a_repetition_answer_alike(alice: Person, hook: int, sent: Sent) -> None:
    sent(ENDED)
    answers = [
        alice.post(
            f"/api/v1/webhooks/{hook}/recover",
            json={"since": isoformat_z(START)},
            headers={"Idempotency-Key": "again"},
        )
        for _ in range(2)
    ]
    assert [answer.json["recovered"] for answer in answers] == [1, 1]
    assert len(rows(hook)) == 2


def test_one_delivery_is_called_off(alice: Person, hook: int, sent: Sent) -> None:
    waits, tried, done = sent(PENDING, FAILED, SUCCESS)
    for each in (waits, tried):
        answer = alice.post(f"/api/v1/webhooks/{hook}/deliveries/{each}/cancel")
        assert answer.status_code == 200
        assert (answer.json["status"], answer.json["next_retry_at"], answer.json["error_message"]) == (
            "permanent_failure",
            None,
            "Cancelled by its owner.",
        )
    again = alice.post(f"/api/v1/webhooks/{hook}/deliveries/{waits}/cancel")
    assert (again.status_code, again.json["code"]) == (409, "delivery_ended")
    assert alice.post(f"/api/v1/webhooks/{hook}/deliveries/{done}/cancel").status_code == 409
    assert alice.post(f"/api/v1/webhooks/{hook}/deliveries/999999/cancel").status_code == 404
    assert alice.get(f"/api/v1/webhooks/{hook}").json["consecutive_failures"] == 0


def test_everything_that_waits_is_called_off(
    alice: Person, hook: int, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "AT_ONCE", 2)
    sent(PENDING, SUCCESS, FAILED, PENDING, FAILED)
    test = alice.post(f"/api/v1/webhooks/{hook}/test").json["id"]
    path = f"/api/v1/webhooks/{hook}/cancel"
    assert alice.post(path, json={"event_types": ["recording.created"]}).json == {"cancelled": 0}
    assert alice.post(path, json={"event_types": ["recording.deleted"]}).json == {"cancelled": 4}
    assert [row.id for row in rows(hook) if row.status is PENDING] == [test]
    assert alice.post(path).json == {"cancelled": 1}
    assert alice.post(path).json == {"cancelled": 0}
    assert Counter(row.status for row in rows(hook)) == {ENDED: 5, SUCCESS: 1}
    assert alice.post(path, json={"event_types": ["x"]}).status_code == 400


def pause(hook: int, **more: Any) -> None:
    with unit_of_work() as session:
        row = session.get_one(Webhook, hook)
        row.enabled, row.auto_paused, row.pause_reason, row.paused_at = False, True, "It failed.", now()
        row.consecutive_failures, row.silent_until = 10, now() + timedelta(hours=1)
        for name, value in more.items():
            setattr(row, name, value)


def test_enabling_lets_go_what_was_held_oldest_first(
    alice: Person, hook: int, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "AT_ONCE", 2)
    ids = sent(FAILED, PENDING, PENDING, FAILED, PENDING)
    (arrived,) = sent(SUCCESS)
    (under_way,) = sent(FAILED, claimed=True)
    claimed_due = rows(hook)[-1].next_attempt_at
    pause(hook)
    assert alice.get(f"/api/v1/webhooks/{hook}").json["paused_at"] is not None
    before = now()
    shown = alice.patch(f"/api/v1/webhooks/{hook}", json={"enabled": True}).json
    assert (shown["enabled"], shown["auto_paused"], shown["pause_reason"], shown["paused_at"]) == (
        True,
        False,
        None,
        None,
    )
    assert shown["consecutive_failures"] == 0
    stored = {row.id: row for row in rows(hook)}
    assert db.session.get_one(Webhook, hook).silent_until is None
    due = [stored[number].next_attempt_at for number in ids]
    assert len(set(due)) == 1  # so that the order is that of the ids
    assert before <= due[0] <= now()
    assert stored[arrived].next_attempt_at is None
    assert stored[under_way].next_attempt_at == claimed_due


def test_enabling_one_that_drops_calls_off_what_still_waited(alice: Person, hook: int, sent: Sent) -> None:
    sent(FAILED, PENDING, SUCCESS)
    pause(hook, when_paused="drop")
    alice.patch(f"/api/v1/webhooks/{hook}", json={"enabled": True})
    assert [row.status for row in rows(hook)] == [ENDED, ENDED, SUCCESS]
    assert alice.get(f"/api/v1/webhooks/{hook}").json["consecutive_failures"] == 0


def test_whether_to_drop_can_be_said_while_enabling(alice: Person, hook: int, sent: Sent) -> None:
    sent(FAILED, PENDING)
    pause(hook)
    alice.patch(f"/api/v1/webhooks/{hook}", json={"enabled": True, "when_paused": "drop"})
    assert {row.status for row in rows(hook)} == {ENDED}


def test_a_refused_change_lets_nothing_go(alice: Person, hook: int, sent: Sent) -> None:
    sent(PENDING)
    pause(hook, when_paused="drop")
    answer = alice.patch(f"/api/v1/webhooks/{hook}", json={"enabled": True, "name": " "})
    assert answer.status_code == 400
    assert alice.get(f"/api/v1/webhooks/{hook}").json["auto_paused"] is True
    assert [row.status for row in rows(hook)] == [PENDING]


def test_switching_a_paused_one_off_makes_it_the_owners_decision(
    alice: Person, hook: int, sent: Sent
) -> None:
    sent(PENDING)
    pause(hook)
    shown = alice.patch(f"/api/v1/webhooks/{hook}", json={"enabled": False}).json
    assert (shown["enabled"], shown["auto_paused"], shown["paused_at"]) == (False, False, None)
    assert [row.status for row in rows(hook)] == [PENDING]


def test_what_waited_for_one_that_was_switched_off_goes_out_even_if_pauses_drop(
    alice: Person, hook: int, sent: Sent
) -> None:
    sent(PENDING)
    alice.patch(f"/api/v1/webhooks/{hook}", json={"enabled": False, "when_paused": "drop"})
    alice.patch(f"/api/v1/webhooks/{hook}", json={"enabled": True})
    (row,) = rows(hook)
    assert row.status is PENDING
    assert row.next_attempt_at is not None
    assert row.next_attempt_at <= now()
