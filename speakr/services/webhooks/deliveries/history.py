"""List, read and replay deliveries for their owners."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import undefer

from speakr.db import db
from speakr.domain.clock import earlier
from speakr.domain.deliveries import DUE_STATUSES, DeliveryStatus
from speakr.domain.errors import NotFound
from speakr.domain.events import EventType
from speakr.domain.permissions import Actor
from speakr.models import Delivery, Event
from speakr.services.webhooks import events, webhooks
from speakr.services.webhooks.deliveries.states import IS_OPEN


def list_for(
    actor: Actor,
    webhook_id: int,
    *,
    limit: int,
    status: DeliveryStatus | None = None,
    event_type: EventType | None = None,
    since: datetime | None = None,
    before: int | None = None,
) -> Sequence[Delivery]:
    """List a webhook's deliveries, newest first; `before` is the id of the last one on the previous page."""
    webhook = webhooks.get(actor, webhook_id)
    query = select(Delivery).where(Delivery.webhook_id == webhook.id)
    if status is not None:
        query = query.where(Delivery.status == status)
    if status in DUE_STATUSES:
        query = query.where(IS_OPEN)  # uses the small index of open deliveries
    if event_type is not None:
        query = query.where(Delivery.event_type == event_type)
    if since is not None:
        query = query.where(Delivery.id > last_before(webhook.id, since), Delivery.created_at >= since)
    if before is not None:
        query = query.where(Delivery.id < before)
    found = db.session.scalars(query.order_by(Delivery.id.desc()).limit(limit)).all()
    for delivery in found:
        delivery.silent_until = webhook.silent_until
    return found


def last_before(webhook_id: int, moment: datetime) -> int:
    """Return the id of a webhook's last delivery from more than `COMMIT_SKEW` before a moment; 0 if there is none.

    The index has ids: without this, reading the last hour would scan years.
    """
    return (
        db.session.scalar(
            select(Delivery.id)
            .where(
                Delivery.webhook_id == webhook_id, Delivery.created_at < earlier(moment, events.COMMIT_SKEW)
            )
            .order_by(Delivery.id.desc())
            .limit(1)
        )
        or 0
    )


def get(actor: Actor, webhook_id: int, delivery_id: int) -> Delivery:
    """Load one delivery with its body."""
    webhook = webhooks.get(actor, webhook_id)
    delivery = db.session.scalar(
        select(Delivery)
        .where(Delivery.id == delivery_id, Delivery.webhook_id == webhook.id)
        .options(undefer(Delivery.body))
    )
    if delivery is None:
        raise NotFound("Delivery not found")
    delivery.silent_until = webhook.silent_until
    return delivery


def replay(actor: Actor, webhook_id: int, delivery_id: int) -> Delivery:
    """Queue the fact of a delivery again, as a new event that refers to the old one."""
    old = get(actor, webhook_id, delivery_id)
    original = db.session.scalar(select(Event).where(Event.uuid == old.event_uuid))
    if original is None:
        raise NotFound("Delivery not found")
    return events.replay(webhooks.get(actor, webhook_id), original)
