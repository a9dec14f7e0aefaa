"""Concurrent requests of an owner about deliveries."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import select

from speakr.db import db, release, unit_of_work
from speakr.domain.clock import now
from speakr.domain.deliveries import DeliveryStatus
from speakr.domain.events import RecordingDeleted
from speakr.models import Delivery, Event, Webhook
from speakr.services.webhooks import events
from speakr.services.webhooks.deliveries import waiting
from tests.api.meetings import at_once
from tests.conftest import Person

SINCE = {"since": "2024-01-01T00:00:00Z"}
COUNT = 60


@pytest.fixture
def settings(settings):
    return replace(settings, webhook_allowed_hosts="127.0.0.1/32")


@pytest.fixture
def hook(alice: Person, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of a webhook with failed deliveries, of which few are taken at a time."""
    monkeypatch.setattr(waiting, "AT_ONCE", 7)
    form = {
        "name": "n8n",
        "url": "http://127.0.0.1:8765/",
        "events": ["recording.deleted"],
        "allow_http": True,
    }
    made = alice.post("/api/v1/webhooks", json=form).json["id"]
    with unit_of_work() as session:
        events.record_all(alice.id, [RecordingDeleted(recording_id=n, title="Gone") for n in range(COUNT)])
        for row in session.scalars(select(Delivery)):
            row.status = DeliveryStatus.FAILED
    return f"/api/v1/webhooks/{made}"


def states() -> Counter[str]:
    release()
    return Counter(db.session.scalars(select(Delivery.status)))


def test_each_failure_is_sent_again_once(app: Flask, alice: Person, hook: str) -> None:
    answers = at_once(app, alice, *[("POST", f"{hook}/recover", SINCE)] * 4)
    assert {answer.status_code for answer in answers} == {202}
    assert sum(answer.json["recovered"] for answer in answers) == COUNT
    assert states() == {DeliveryStatus.PERMANENT_FAILURE: COUNT, DeliveryStatus.PENDING: COUNT}
    origins = Counter(db.session.scalars(select(Event.replayed_from).where(Event.replayed_from.is_not(None))))
    assert (len(origins), set(origins.values())) == (COUNT, {1})


def test_each_is_either_sent_again_or_cancelled(app: Flask, alice: Person, hook: str) -> None:
    recovered, cancelled, enabled = at_once(
        app,
        alice,
        ("POST", f"{hook}/recover", {**SINCE, "status": ["failed"]}),
        ("POST", f"{hook}/cancel", {}),
        ("PATCH", hook, {"enabled": True}),
    )
    assert enabled.status_code == 200
    again = recovered.json["recovered"]
    # What was sent again may have been cancelled in its turn.
    assert COUNT - again <= cancelled.json["cancelled"] <= COUNT
    assert sum(states().values()) == COUNT + again
    assert states()[DeliveryStatus.FAILED] == 0


def test_enabling_twice_while_more_happens_holds_nothing_back(app: Flask, alice: Person, hook: str) -> None:
    with unit_of_work() as session:
        row = session.scalars(select(Webhook)).one()
        row.enabled, row.auto_paused = False, True
        for delivery in session.scalars(select(Delivery)):
            delivery.next_attempt_at = now().replace(year=2099)
    answers = at_once(app, alice, *[("PATCH", hook, {"enabled": True})] * 3, ("POST", f"{hook}/test", {}))
    assert {answer.status_code for answer in answers[:3]} == {200}
    release()
    due = db.session.scalars(select(Delivery.next_attempt_at)).all()
    assert all(moment is not None and moment <= now() for moment in due)
