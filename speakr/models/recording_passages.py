"""Passages: stretches of transcripts with their vectors by an embedding model."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base


class RecordingPassage(Base):
    """Consecutive segments of a recording, and the vector of their text."""

    __tablename__ = "recording_passages"

    recording_id: Mapped[int] = mapped_column(
        ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    first_segment_id: Mapped[int] = mapped_column(BigInteger)
    last_segment_id: Mapped[int] = mapped_column(BigInteger)
    start: Mapped[float]
    end: Mapped[float]
    sha256: Mapped[str] = mapped_column(String(64))
    """Hash of the embedded text; the same text is not embedded again."""
    model: Mapped[str] = mapped_column(String(120))
    """Vectors of different models cannot be compared."""
    vector: Mapped[bytes] = mapped_column(LargeBinary)
    """Half floats, little-endian, of length 1. Empty when nothing is said: it has been looked at all the same."""
    is_current: Mapped[bool]
    """Whether it is of the transcript as it is now."""
