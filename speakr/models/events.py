"""Events: facts, stored when they happened."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base, BigId
from speakr.domain.clock import now
from speakr.domain.events import EventType


class Event(Base):
    """One fact, for its owner. It outlives the recording that it is about."""

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_user_id", "user_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    recording_id: Mapped[int | None]
    type: Mapped[EventType]
    occurred_at: Mapped[datetime] = mapped_column(default=now)
    data: Mapped[dict[str, Any]]
    replayed_from: Mapped[str | None] = mapped_column(String(36))
