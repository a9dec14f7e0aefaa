"""What owners may see of their deliveries, and replaying one."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import undefer

from speakr.db import db
from speakr.domain.errors import NotFound
from speakr.domain.permissions import Actor
from speakr.models import Delivery, Event
from speakr.services import events, webhooks


def list_for(actor: Actor, webhook_id: int, limit: int) -> Sequence[Delivery]:
    """List a webhook's deliveries, newest first."""
    webhook = webhooks.get(actor, webhook_id)
    return db.session.scalars(
        select(Delivery).where(Delivery.webhook_id == webhook.id).order_by(Delivery.id.desc()).limit(limit)
    ).all()


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
    return delivery


def replay(actor: Actor, webhook_id: int, delivery_id: int) -> Delivery:
    """Queue a delivery's fact again, as a new event that names the old one."""
    old = get(actor, webhook_id, delivery_id)
    original = db.session.scalar(select(Event).where(Event.uuid == old.event_uuid))
    if original is None:
        raise NotFound("Delivery not found")
    return events.replay(webhooks.get(actor, webhook_id), original)
