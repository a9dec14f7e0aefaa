"""Replay failed deliveries and cancel waiting ones, for many deliveries at once.

Both work in batches, each in its own transaction; a repeated request continues where the last one stopped.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, bindparam, or_, select, update

from speakr.backends import get_backends
from speakr.db import after_commit, db, unit_of_work
from speakr.domain.deliveries import DeliveryStatus
from speakr.domain.errors import Conflict, NotFound
from speakr.domain.events import EventType
from speakr.domain.permissions import Actor
from speakr.models import Delivery, Event, Webhook
from speakr.services.webhooks import events, webhooks
from speakr.services.webhooks.deliveries import history, waiting

RECOVERABLE = (DeliveryStatus.FAILED, DeliveryStatus.PERMANENT_FAILURE)
MAX_EVENTS = 10_000
"""Deliveries that one request recovers at most."""

_DELIVERIES: Table = Delivery.__table__  # type: ignore[assignment] # a mapped class's table is a Table
_MARK = (
    update(_DELIVERIES)
    .where(_DELIVERIES.c.id == bindparam("recovered_id"), _DELIVERIES.c.replayed_as.is_(None))
    # The new delivery replaces the old one, which is not tried again.
    .values(replayed_as=bindparam("replay"), status=DeliveryStatus.PERMANENT_FAILURE, next_attempt_at=None)
)


@dataclass(frozen=True, slots=True)
class Recovered:
    """The number of replayed deliveries, and whether these were all."""

    recovered: int
    is_complete: bool


def recover(
    actor: Actor,
    webhook_id: int,
    *,
    since: datetime,
    statuses: Collection[DeliveryStatus] = RECOVERABLE,
    event_types: Collection[EventType] = (),
) -> Recovered:
    """Replay each failed delivery of a webhook since a moment; repeated requests replay each only once."""
    recovered, last, count = 0, 0, waiting.AT_ONCE
    while count == waiting.AT_ONCE and recovered < MAX_EVENTS:
        with unit_of_work():
            webhook = webhooks.lock_row(actor, webhook_id)
            last = last or history.last_before(webhook.id, since)
            wanted = _wanted(webhook.id, since, statuses, event_types).where(Delivery.id > last)
            found = db.session.execute(wanted.limit(waiting.AT_ONCE)).all()
            if found:
                _replay(webhook, found)
                last = found[-1].id
        count = len(found)
        recovered += count
    return Recovered(recovered, is_complete=count < waiting.AT_ONCE)


def _wanted(
    webhook_id: int,
    since: datetime,
    statuses: Collection[DeliveryStatus],
    event_types: Collection[EventType],
) -> Select[*tuple[Any, ...]]:
    conditions: list[ColumnElement[bool]] = [
        Delivery.webhook_id == webhook_id,
        Delivery.created_at >= since,
        Delivery.status.in_(statuses),
        Delivery.replayed_as.is_(None),
        # A delivery with a claim may be arriving now.
        or_(Delivery.status == DeliveryStatus.PERMANENT_FAILURE, Delivery.claimed_until.is_(None)),
    ]
    if event_types:
        conditions.append(Delivery.event_type.in_(event_types))
    return (
        select(Delivery.id, Event)
        .join(Event, Event.uuid == Delivery.event_uuid)
        .where(*conditions)
        .order_by(Delivery.id)
        # The dispatcher may be claiming some of these rows; skip them, as they are being sent.
        .with_for_update(of=Delivery, skip_locked=True)
    )


def _replay(webhook: Webhook, found: Sequence[Any]) -> None:
    fresh = [events.again(row.Event) for row in found]
    db.session.bulk_save_objects(fresh)
    db.session.bulk_save_objects([events.delivery_of(event, webhook) for event in fresh])
    db.session.connection().execute(
        _MARK,
        [{"recovered_id": row.id, "replay": event.uuid} for row, event in zip(found, fresh, strict=True)],
    )
    after_commit(get_backends().notifier.wake_dispatcher)


def cancel(actor: Actor, webhook_id: int, delivery_id: int) -> Delivery:
    """Cancel one delivery. If it is being sent, it may still arrive."""
    webhook = webhooks.lock_row(actor, webhook_id)
    ended = waiting.cancel(webhook.id, delivery_id=delivery_id)
    delivery = db.session.scalar(
        select(Delivery)
        .where(Delivery.id == delivery_id, Delivery.webhook_id == webhook.id)
        .execution_options(populate_existing=True)
    )
    if delivery is None:
        raise NotFound("Delivery not found")
    if not ended:
        raise Conflict(
            "The delivery has already ended.", code="delivery_ended", delivery_status=delivery.status.value
        )
    return delivery


def cancel_all(actor: Actor, webhook_id: int, event_types: Collection[EventType] = ()) -> int:
    """Cancel all waiting deliveries; return their number. Opens its own units of work."""
    cancelled, last = 0, 0
    while True:
        with unit_of_work():
            webhook = webhooks.lock_row(actor, webhook_id)
            ended = waiting.cancel(webhook.id, event_types=event_types, after_id=last, most=waiting.AT_ONCE)
        cancelled += len(ended)
        if len(ended) < waiting.AT_ONCE:
            return cancelled
        last = ended[-1]
