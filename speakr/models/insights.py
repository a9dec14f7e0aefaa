"""Insights of a transcript, and the evidence of a summary. One row per recording, replaced as a whole."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base
from speakr.domain.clock import now


class Insight(Base):
    """Key points, action items, chapters and topics of a recording."""

    __tablename__ = "insights"

    recording_id: Mapped[int] = mapped_column(
        ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    content: Mapped[dict[str, Any]]
    """`key_points`, `action_items`, `chapters`, `topics`; sources in them are [segment id, quote]."""
    engine: Mapped[str] = mapped_column(String(120))
    is_extractive: Mapped[bool]
    coverage: Mapped[float]
    """The share of segments that were read, 0 to 1."""
    last_segment_id: Mapped[int] = mapped_column(BigInteger)
    """Of the transcript that was read."""
    transcript_revision: Mapped[int] = mapped_column(default=0, server_default="0")
    """Of the transcript that was read: a later one makes this out of date."""
    created_at: Mapped[datetime] = mapped_column(default=now)


class SummaryEvidence(Base):
    """Evidence for each line of a recording's summary."""

    __tablename__ = "summary_evidence"

    recording_id: Mapped[int] = mapped_column(
        ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    summary_sha256: Mapped[str] = mapped_column(String(64))
    """Hash of the summary that it belongs to. It is ignored once a user has edited that summary."""
    lines: Mapped[list[Any]]
    """{line, text, verified, sources} each."""
    coverage: Mapped[float]
