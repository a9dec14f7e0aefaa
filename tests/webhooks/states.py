"""How deliveries and webhooks stand in the database."""

from __future__ import annotations

from sqlalchemy import select

from speakr.backends import get_backends
from speakr.db import after_commit, db, release, unit_of_work
from speakr.domain.deliveries import DUE_STATUSES
from speakr.models import Delivery, Webhook
from tests.webhooks.dispatchers import until


def deliveries(webhook_id: int | None = None) -> list[Delivery]:
    """Read deliveries as they are stored now, oldest first."""
    release()
    wanted = select(Delivery).order_by(Delivery.id)
    return list(
        db.session.scalars(wanted if webhook_id is None else wanted.where(Delivery.webhook_id == webhook_id))
    )


def webhook(webhook_id: int) -> Webhook:
    """Read a webhook as it is stored now."""
    release()
    return db.session.get_one(Webhook, webhook_id)


def all_settled() -> bool:
    return all(row.status not in DUE_STATUSES for row in deliveries())


def settled(webhook_id: int) -> Delivery:
    """Wait until the only delivery of a webhook has been attempted or settled; return it."""
    until(lambda: deliveries(webhook_id) and deliveries(webhook_id)[0].attempt_count > 0)
    (row,) = deliveries(webhook_id)
    return row


def make_retries_due(webhook_id: int) -> None:
    """Make every retry of a webhook due now."""
    with unit_of_work() as session:
        for row in session.scalars(select(Delivery).where(Delivery.webhook_id == webhook_id)):
            if row.next_attempt_at is not None:
                row.next_attempt_at = row.created_at
        after_commit(get_backends().notifier.wake_dispatcher)
