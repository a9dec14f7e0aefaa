"""Results of short work for which a request waits."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base


class Clip(Base):
    """Audio that is transcribed and not kept. The row is deleted when its result is read, or soon after."""

    __tablename__ = "clips"

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    duration_seconds: Mapped[float]
    """Of the audio; it counts against the budget while the job is active."""
    result: Mapped[dict[str, Any] | None]
    """A `services.speech.clips.ClipResult`, once the job has succeeded."""
    finished_at: Mapped[datetime | None] = mapped_column(index=True)
