"""Facts for others: an event row and one delivery per listening webhook, in the transaction of the fact."""

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
from speakr.services.webhooks import subscriptions

COMMIT_SKEW = timedelta(hours=1)
"""Ids follow time only roughly: of two transactions at once the one that began first may write last."""

_IDS = ("recording_id", "webhook_id")
"""What of `data` is sent to those who want ids only."""


def record(user_id: int, data: EventData, *, recording_id: int | None = None) -> Event:
    """Write down that something happened, and who is to be told; return the event.

    Only rows are added to the caller's transaction: if it is rolled back nothing happened and nobody
    is told; once it is committed everybody will be, whatever dies afterwards.
    """
    event = _new_event(user_id, data, recording_id)
    db.session.add_all(_deliveries(user_id, [event]))
    return event


def record_all(user_id: int, facts: Sequence[RecordingEvent]) -> None:
    """Write down many facts about recordings of one user, as `record` does one."""
    happened = [_event(user_id, data, data.recording_id) for data in facts]
    # Not added one by one: SQLite would be asked for the id of each row, and nobody wants to know.
    db.session.bulk_save_objects(happened)
    db.session.bulk_save_objects(_deliveries(user_id, happened))


def _deliveries(user_id: int, happened: Sequence[Event]) -> list[Delivery]:
    if not happened or not get_backends().settings.webhook_enabled:
        return []
    deliveries = [
        delivery_of(event, webhook) for event, webhook in subscriptions.listening(user_id, happened)
    ]
    if deliveries:
        after_commit(get_backends().notifier.wake_dispatcher)
    return deliveries


def record_for(webhook: Webhook, data: EventData) -> Delivery:
    """Write down an event meant for one webhook only, whatever it listens to (the test button)."""
    delivery = delivery_of(_new_event(webhook.user_id, data, None), webhook)
    delivery.next_attempt_at = IMMEDIATE
    db.session.add(delivery)
    db.session.flush()  # to know delivery.id
    after_commit(get_backends().notifier.wake_dispatcher)
    return delivery


def replay(webhook: Webhook, original: Event) -> Delivery:
    """Tell one webhook an old fact again, as a new event that names the old one."""
    event = again(original)
    db.session.add(event)
    delivery = delivery_of(event, webhook)
    db.session.add(delivery)
    db.session.flush()  # to know delivery.id
    after_commit(get_backends().notifier.wake_dispatcher)
    return delivery


def again(original: Event) -> Event:
    """Return an old fact as a new event that names the old one; it is not written yet."""
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
    """List what the actor's webhooks are told, newest first, for those who ask instead of listening.

    Replays and tests are left out: they are meant for one webhook.

    Raises:
        Invalid: `before` is no event of the actor's.

    """
    mine = Event.user_id == actor.user_id
    query = select(Event).where(mine, Event.replayed_from.is_(None), Event.type != EventType.WEBHOOK_TEST)
    if event_type is not None:
        query = query.where(Event.type == event_type)
    if since is not None:
        # By id, which is in the index: else a look at the last minute would read years.
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
    """Return the delivery of an event; its body is fixed from here on."""
    return Delivery(
        webhook_id=webhook.id,
        event_uuid=event.uuid,
        event_type=event.type,
        body=orjson.dumps(envelope(event, webhook.payload)).decode(),
        next_attempt_at=event.occurred_at,
        created_at=event.occurred_at,
    )


def envelope(event: Event, style: PayloadStyle = PayloadStyle.FULL) -> dict[str, Any]:
    """Return what is told of an event, keys in the documented order. Sent as compact JSON."""
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
