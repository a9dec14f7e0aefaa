"""Dated events found in a transcript."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base
from speakr.domain.clock import now


class CalendarEvent(Base):
    """An appointment that a recording mentions."""

    __tablename__ = "calendar_events"

    id: Mapped[int] = mapped_column(primary_key=True)
    recording_id: Mapped[int] = mapped_column(ForeignKey("recordings.id", ondelete="CASCADE"), index=True)
    title: Mapped[str] = mapped_column(String(200))
    start_at: Mapped[datetime]
    end_at: Mapped[datetime | None]
    description: Mapped[str | None] = mapped_column(Text)
    location: Mapped[str | None] = mapped_column(String(200))
    attendees: Mapped[list[Any]] = mapped_column(default=list)
    reminder_minutes: Mapped[int | None]
    has_time: Mapped[bool] = mapped_column(default=True)
    """False if only the day is known; it then begins at midnight in its owner's time zone."""
    is_extracted: Mapped[bool] = mapped_column(default=False)
    """Found by a job, which may replace it by what it finds the next time; what people add stays."""
    is_verified: Mapped[bool] = mapped_column(default=True)
    sources: Mapped[list[Any]] = mapped_column(default=list)
    """[segment id, quote] each."""
    created_at: Mapped[datetime] = mapped_column(default=now)
