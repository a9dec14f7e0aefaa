"""Webhooks: where a user wants events sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base
from speakr.domain.clock import now


class Webhook(Base):
    """A subscriber's URL with its secret and chosen event types."""

    __tablename__ = "webhooks"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    url: Mapped[str] = mapped_column(String(500))
    allow_http: Mapped[bool] = mapped_column(default=False)
    events: Mapped[list[Any]]
    enabled: Mapped[bool] = mapped_column(default=True)
    auto_paused: Mapped[bool] = mapped_column(default=False)
    pause_reason: Mapped[str | None] = mapped_column(String(200))
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
