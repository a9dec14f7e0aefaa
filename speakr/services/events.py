"""Facts for others: an event row and one delivery per listening webhook, in the transaction of the fact."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import or_, select

from speakr.backends import plugged
from speakr.db import after_commit, db
from speakr.domain.clock import isoformat_z, now
from speakr.domain.events import EventData, RecordingEvent
from speakr.models import Delivery, Event, Webhook


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
    if not happened or not plugged().settings.webhook_enabled:
        return []
    webhooks = db.session.scalars(
        # A paused webhook's deliveries are written and held; one that its owner switched off gets none.
        select(Webhook)
        .where(Webhook.user_id == user_id, or_(Webhook.enabled, Webhook.auto_paused))
        .order_by(Webhook.id)
    ).all()
    deliveries = [
        delivery_of(event, webhook)
        for event in happened
        for webhook in webhooks
        if event.type in webhook.events
    ]
    if deliveries:
        after_commit(plugged().doorbell.wake_dispatcher)
    return deliveries


def record_for(webhook: Webhook, data: EventData) -> Delivery:
    """Write down an event meant for one webhook only, whatever it listens to (the test button)."""
    delivery = delivery_of(_new_event(webhook.user_id, data, None), webhook)
    db.session.add(delivery)
    db.session.flush()  # to know delivery.id
    after_commit(plugged().doorbell.wake_dispatcher)
    return delivery


def replay(webhook: Webhook, original: Event) -> Delivery:
    """Tell one webhook an old fact again, as a new event that names the old one."""
    event = Event(
        uuid=str(uuid.uuid4()),
        user_id=original.user_id,
        recording_id=original.recording_id,
        type=original.type,
        occurred_at=now(),
        data=original.data,
        replayed_from=original.uuid,
    )
    db.session.add(event)
    delivery = delivery_of(event, webhook)
    db.session.add(delivery)
    db.session.flush()  # to know delivery.id
    after_commit(plugged().doorbell.wake_dispatcher)
    return delivery


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
        body=envelope(event).decode(),
        next_attempt_at=event.occurred_at,
        created_at=event.occurred_at,
    )


def envelope(event: Event) -> bytes:
    """Return the body as it is sent: compact JSON, keys in the documented order."""
    body: dict[str, Any] = {
        "id": event.uuid,
        "type": event.type.value,
        "timestamp": isoformat_z(event.occurred_at),
        "user_id": event.user_id,
        "data": event.data,
    }
    if event.replayed_from is not None:
        body["replayed_from"] = event.replayed_from
    return orjson.dumps(body)
