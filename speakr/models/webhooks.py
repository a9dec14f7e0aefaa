"""Webhooks: addresses to which Speakr sends a user's events."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base
from speakr.domain.clock import now
from speakr.domain.webhooks import PayloadStyle, WhenPaused


class Webhook(Base):
    """A subscriber's URL with its secret and chosen event types."""

    __tablename__ = "webhooks"
    __table_args__ = (Index("uq_webhooks_preference", "user_id", "preference", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    url: Mapped[str] = mapped_column(String(500))
    allow_http: Mapped[bool] = mapped_column(default=False)
    events: Mapped[list[Any]]
    tag_ids: Mapped[list[Any] | None]
    """Only events of recordings that have one of these tags; None for any."""
    folder_ids: Mapped[list[Any] | None]
    """Only events of recordings in one of these folders; None for any."""
    payload: Mapped[PayloadStyle] = mapped_column(default=PayloadStyle.FULL)
    payload_keys: Mapped[dict[str, Any] | None]
    """Key -> `FlatField` of flat payloads; None for all fields under their own names."""
    preference: Mapped[str | None] = mapped_column(String(60))
    """The preference that this webhook is the value of; None of all that were made at `/webhooks`."""
    headers_sealed: Mapped[str | None] = mapped_column(Text)
    """Headers that go out with every delivery, as JSON; sealed, for they often hold a password."""
    is_ordered: Mapped[bool] = mapped_column(default=False)
    """One at a time, in the order of what happened: a delivery waits until the one before it has ended."""
    max_in_flight: Mapped[int | None]
    max_per_second: Mapped[int | None]
    when_paused: Mapped[WhenPaused] = mapped_column(default=WhenPaused.HOLD)
    enabled: Mapped[bool] = mapped_column(default=True)
    auto_paused: Mapped[bool] = mapped_column(default=False)
    pause_reason: Mapped[str | None] = mapped_column(String(200))
    paused_at: Mapped[datetime | None]
    consecutive_failures: Mapped[int] = mapped_column(default=0)
    """Deliveries in a row that have failed for good."""
    secret_sealed: Mapped[str] = mapped_column(String(400))
    previous_secret_sealed: Mapped[str | None] = mapped_column(String(400))
    previous_secret_until: Mapped[datetime | None]
    """Until then the secret before the last rotation signs too."""
    silent_until: Mapped[datetime | None]
    """The receiver asked (Retry-After) to be left alone until then."""
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    last_delivery_at: Mapped[datetime | None]
