"""Summaries of texts that users post."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base
from speakr.domain.clock import now


class PostedSummary(Base):
    """A posted text while its job is active, then its summary for a while."""

    __tablename__ = "posted_summaries"

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    format: Mapped[str] = mapped_column(String(20))
    max_words: Mapped[int]
    lines: Mapped[list[Any] | None] = mapped_column(deferred=True)
    """[speaker, text, start, end] each; erased when the job ends."""
    result: Mapped[dict[str, Any] | None]
    """`services.language.posted_summaries.Written`, once the job has succeeded."""
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
