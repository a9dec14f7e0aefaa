"""Deliveries: one event on its way to one webhook."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base, BigId
from speakr.domain.clock import now
from speakr.domain.deliveries import DUE_STATUSES, IMMEDIATE, DeliveryStatus
from speakr.domain.events import EventType

_DUE = text("status IN ('pending', 'failed')")


class WebhookSequence(Base):
    """The last number given to a delivery of an ordered webhook.

    In a table of its own, because the dispatcher must not wait for a webhook's row that a user changes.
    """

    __tablename__ = "webhook_sequences"

    webhook_id: Mapped[int] = mapped_column(
        ForeignKey("webhooks.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    last: Mapped[int] = mapped_column(BigId)


class Delivery(Base):
    """The state of sending one event to one webhook. The body's bytes are fixed when the row is written."""

    __tablename__ = "deliveries"
    __table_args__ = (
        Index(
            "ix_deliveries_due",
            "webhook_id",
            "next_attempt_at",
            "id",
            sqlite_where=_DUE,
            postgresql_where=_DUE,
        ),
        # For webhooks that are sent to in order: which of the open ones is the first.
        Index("ix_deliveries_open", "webhook_id", "id", sqlite_where=_DUE, postgresql_where=_DUE),
        Index("ix_deliveries_webhook", "webhook_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    sequence: Mapped[int | None] = mapped_column(BigId)
    """Its place among the deliveries to an ordered webhook, from its first attempt on."""
    event_uuid: Mapped[str] = mapped_column(String(36))
    event_type: Mapped[EventType]
    body: Mapped[str] = mapped_column(Text, deferred=True)
    status: Mapped[DeliveryStatus] = mapped_column(default=DeliveryStatus.PENDING)
    attempt_count: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime | None] = mapped_column(default=now)
    claimed_until: Mapped[datetime | None]
    duration_ms: Mapped[int | None]
    """How long the last attempt took."""
    response_status: Mapped[int | None]
    response_body_preview: Mapped[str | None] = mapped_column(String(2000))
    error_message: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[datetime] = mapped_column(default=now)
    delivered_at: Mapped[datetime | None]
    replayed_as: Mapped[str | None] = mapped_column(String(36))
    """The event that replayed this delivery when the owner recovered failures; each is recovered once."""

    silent_until = cast("datetime | None", None)
    """Until when the webhook waits. No column; `history` sets it."""

    @property
    def next_retry_at(self) -> datetime | None:
        """When it is to be sent, as its owner reads it: not while its receiver has asked for a pause."""
        due_at = self.created_at if self.next_attempt_at == IMMEDIATE else self.next_attempt_at
        if due_at is None or self.silent_until is None or self.status not in DUE_STATUSES:
            return due_at
        return max(due_at, self.silent_until)
