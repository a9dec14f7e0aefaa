"""Segments: the stored transcript."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base, BigId


class Segment(Base):
    """A stretch of speech. Words are stored in their segment's row, because they are only read together."""

    __tablename__ = "segments"
    __table_args__ = (Index("ix_segments_recording_position", "recording_id", "position", unique=True),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    recording_id: Mapped[int] = mapped_column(ForeignKey("recordings.id", ondelete="CASCADE"))
    position: Mapped[int]
    start: Mapped[float]
    end: Mapped[float]
    speaker: Mapped[str] = mapped_column(String(120))
    confidence: Mapped[float | None]
    text: Mapped[str] = mapped_column(Text)
    overlap: Mapped[bool] = mapped_column(default=False)
    """Another speaker talks at the same time."""
    words: Mapped[list[Any]] = mapped_column(deferred=True)
    """[text, start, end, probability] each, times in seconds; true behind these if a person wrote the word."""
