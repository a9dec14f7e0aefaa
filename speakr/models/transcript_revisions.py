"""The history of transcripts: what each change replaced, the text as it was recognised, and what is to follow."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base, BigId
from speakr.domain.clock import now
from speakr.domain.transcript_history import RevisionKind


class TranscriptRevision(Base):
    """One change of a transcript. Revision 0 is the first transcription and has no row."""

    __tablename__ = "transcript_revisions"
    __table_args__ = (Index("uq_transcript_revisions_number", "recording_id", "number", unique=True),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    recording_id: Mapped[int] = mapped_column(ForeignKey("recordings.id", ondelete="CASCADE"))
    number: Mapped[int]
    """Counted per recording without gaps, so that two changes of the same text cannot both be stored."""
    kind: Mapped[RevisionKind]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    """None if a job made it, or if the account is gone."""
    created_at: Mapped[datetime] = mapped_column(default=now)
    words_added: Mapped[int]
    words_removed: Mapped[int]
    segments_changed: Mapped[int]
    undo_to: Mapped[int | None]
    """The revision whose text an undo brings back."""
    redo_to: Mapped[int | None]
    """The revision whose text a redo brings back."""
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What was asked for, as far as the kind does not tell it."""
    replaced: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    """The segments before this change, only those that it changed: see `domain/transcript_history.py`."""


class RecognizedTranscript(Base):
    """The transcript as the engine wrote it, kept from the first correction on. One row per recording."""

    __tablename__ = "recognized_transcripts"

    recording_id: Mapped[int] = mapped_column(
        ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    content: Mapped[bytes] = mapped_column(LargeBinary)
    """Compressed, as `domain/transcript_history.py` writes it."""


class TranscriptFollowUp(Base):
    """A recording whose transcript was corrected, and when what was made from it is due to be made anew."""

    __tablename__ = "transcript_follow_ups"

    recording_id: Mapped[int] = mapped_column(
        ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    first_at: Mapped[datetime]
    """Of the first correction since the last time: waiting for the end of the corrections is limited."""
    due_at: Mapped[datetime] = mapped_column(index=True)
