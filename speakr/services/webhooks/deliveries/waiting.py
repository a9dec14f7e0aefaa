"""Waiting deliveries: send held ones, and end those that their owner cancels.

The caller has locked the webhook (`webhooks.lock_row`): the dispatcher then postpones its outcomes instead of locking
the rows in another order.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select, update

from speakr.db import db
from speakr.domain.deliveries import DeliveryStatus
from speakr.domain.events import EventType
from speakr.models import Delivery
from speakr.services.webhooks.deliveries.states import IS_OPEN

AT_ONCE = 1_000
"""Deliveries per transaction, so that other writers get their turn in between."""

CANCELLED = "Cancelled by its owner."


def make_due(webhook_id: int, moment: datetime, *, after_id: int = 0, most: int | None = None) -> int | None:
    """Make open deliveries due at a moment, in their old order; return the last one's id, None if there were none."""
    chosen = (
        select(Delivery.id)
        .where(
            Delivery.webhook_id == webhook_id,
            IS_OPEN,
            Delivery.id > after_id,
            Delivery.next_attempt_at != moment,
            Delivery.claimed_until.is_(None),
        )
        .order_by(Delivery.id)
        .limit(most)
    )
    changed = db.session.scalars(
        update(Delivery)
        .where(Delivery.id.in_(chosen))
        .values(next_attempt_at=moment)
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    ).all()
    return max(changed, default=None)


def cancel(
    webhook_id: int,
    *,
    delivery_id: int | None = None,
    event_types: Collection[EventType] = (),
    after_id: int = 0,
    most: int | None = None,
) -> list[int]:
    """End open deliveries; return their ids. One that is being sent keeps its claim, because it may still arrive."""
    conditions = [Delivery.webhook_id == webhook_id, IS_OPEN, Delivery.id > after_id]
    if delivery_id is not None:
        conditions.append(Delivery.id == delivery_id)
    if event_types:
        conditions.append(Delivery.event_type.in_(event_types))
    chosen = select(Delivery.id).where(*conditions).order_by(Delivery.id).limit(most)
    ended = db.session.scalars(
        update(Delivery)
        .where(Delivery.id.in_(chosen), IS_OPEN)
        .values(status=DeliveryStatus.PERMANENT_FAILURE, next_attempt_at=None, error_message=CANCELLED)
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    return sorted(ended)
