"""Record events: an event row and one delivery per subscribed webhook, in the transaction of the fact."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import select

from speakr.backends import get_backends
from speakr.db import after_commit, db
from speakr.domain.clock import earlier, isoformat_z, now
from speakr.domain.deliveries import IMMEDIATE
from speakr.domain.errors import Invalid
from speakr.domain.events import EventData, EventType, RecordingEvent
from speakr.domain.permissions import Actor
from speakr.domain.webhooks import PayloadStyle
from speakr.models import Delivery, Event, Webhook
from speakr.services.webhooks import flat_payloads, subscriptions

COMMIT_SKEW = timedelta(hours=1)
"""Ids follow time only roughly: of two concurrent transactions, the one that began first may commit last."""

_IDS = ("recording_id", "webhook_id")
"""The fields of `data` in thin payloads."""


def record(user_id: int, data: EventData, *, recording_id: int | None = None) -> Event:
    """Record an event and its deliveries; return the event.

    This only adds rows to the caller's transaction. After a rollback nothing is sent; after the commit every delivery
    is sent, even if processes die.
    """
    event = _new_event(user_id, data, recording_id)
    db.session.add_all(_deliveries(user_id, [event]))
    return event


def record_all(user_id: int, facts: Sequence[RecordingEvent]) -> None:
    """Record many events about recordings of one user, like `record`."""
    new_events = [_event(user_id, data, data.recording_id) for data in facts]
    # In bulk: added one by one, SQLite would return the id of each row, which is not needed.
    db.session.bulk_save_objects(new_events)
    db.session.bulk_save_objects(_deliveries(user_id, new_events))


def _deliveries(user_id: int, new_events: Sequence[Event]) -> list[Delivery]:
    if not new_events or not get_backends().settings.webhook_enabled:
        return []
    deliveries = [
        delivery_of(event, webhook) for event, webhook in subscriptions.webhooks_for(user_id, new_events)
    ]
    if deliveries:
        after_commit(get_backends().notifier.wake_dispatcher)
    return deliveries


def record_for(webhook: Webhook, data: EventData) -> Delivery:
    """Record an event for one webhook only, independent of its subscriptions (test deliveries)."""
    delivery = delivery_of(_new_event(webhook.user_id, data, None), webhook)
    delivery.next_attempt_at = IMMEDIATE
    db.session.add(delivery)
    db.session.flush()  # to know delivery.id
    after_commit(get_backends().notifier.wake_dispatcher)
    return delivery


def replay(webhook: Webhook, original: Event) -> Delivery:
    """Send an old event to one webhook again, as a new event that refers to the old one."""
    event = again(original)
    db.session.add(event)
    delivery = delivery_of(event, webhook)
    db.session.add(delivery)
    db.session.flush()  # to know delivery.id
    after_commit(get_backends().notifier.wake_dispatcher)
    return delivery


def again(original: Event) -> Event:
    """Return a copy of an old event as a new event that refers to the old one; it is not added to the session."""
    return Event(
        uuid=str(uuid.uuid4()),
        user_id=original.user_id,
        recording_id=original.recording_id,
        type=original.type,
        occurred_at=now(),
        data=original.data,
        replayed_from=original.uuid,
    )


def list_for(
    actor: Actor, *, since: datetime | None, event_type: EventType | None, before: str | None, limit: int
) -> Sequence[Event]:
    """List the actor's events, newest first, for clients that poll instead of using webhooks.

    Replays and tests are left out, because they are for one webhook only.

    Raises:
        Invalid: `before` is not the id of an event of the actor's.

    """
    mine = Event.user_id == actor.user_id
    query = select(Event).where(mine, Event.replayed_from.is_(None), Event.type != EventType.WEBHOOK_TEST)
    if event_type is not None:
        query = query.where(Event.type == event_type)
    if since is not None:
        # Restrict by id, which the index has: otherwise reading the last minute would scan years.
        long_before = Event.occurred_at < earlier(since, COMMIT_SKEW)
        last_before = select(Event.id).where(mine, long_before).order_by(Event.id.desc()).limit(1)
        query = query.where(Event.id > (db.session.scalar(last_before) or 0), Event.occurred_at >= since)
    if before is not None:
        known = db.session.scalar(select(Event.id).where(mine, Event.uuid == before))
        if known is None:
            raise Invalid("before is not the id of an event", errors={"before": ["is not known"]})
        query = query.where(Event.id < known)
    return db.session.scalars(query.order_by(Event.id.desc()).limit(limit)).all()


def _event(user_id: int, data: EventData, recording_id: int | None) -> Event:
    return Event(
        uuid=str(uuid.uuid4()),
        user_id=user_id,
        recording_id=recording_id,
        type=data.type,
        occurred_at=now(),
        data=data.payload(),
    )


def _new_event(user_id: int, data: EventData, recording_id: int | None) -> Event:
    event = _event(user_id, data, recording_id)
    db.session.add(event)
    return event


def delivery_of(event: Event, webhook: Webhook) -> Delivery:
    """Return a delivery of an event; its body does not change afterwards."""
    return Delivery(
        webhook_id=webhook.id,
        event_uuid=event.uuid,
        event_type=event.type,
        body=orjson.dumps(_payload(event, webhook)).decode(),
        next_attempt_at=event.occurred_at,
        created_at=event.occurred_at,
    )


def _payload(event: Event, webhook: Webhook) -> dict[str, Any]:
    if webhook.payload is PayloadStyle.FLAT:
        return flat_payloads.body_of(event, webhook)
    return envelope(event, webhook.payload)


def envelope(event: Event, style: PayloadStyle = PayloadStyle.FULL) -> dict[str, Any]:
    """Return the payload of an event, with keys in the documented order. It is sent as compact JSON."""
    document: dict[str, Any] = {
        "id": event.uuid,
        "type": event.type.value,
        "timestamp": isoformat_z(event.occurred_at),
        "user_id": event.user_id,
        "data": event.data,
    }
    if style is PayloadStyle.THIN:
        document["data"] = {name: value for name, value in event.data.items() if name in _IDS}
    if event.replayed_from is not None:
        document["replayed_from"] = event.replayed_from
    return document
