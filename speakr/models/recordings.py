"""Recordings: an uploaded file and its results."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base
from speakr.domain.clock import now
from speakr.domain.recordings import RecordingStatus

LISTING_INDEX = "ix_recordings_user_created"
"""By owner and creation, with whatever lists are filtered by, so that they are counted from it alone: a row is wide.

It is not the same in both databases: only SQLite takes long texts into an index.
"""


class Recording(Base):
    """One recording. The long texts are the last columns and are loaded on demand."""

    __tablename__ = "recordings"
    __table_args__ = (
        # One index per documented sort order, each ending in the tie-breaker. That of the usual one, by creation
        # (LISTING_INDEX), is made by the migration.
        Index("ix_recordings_user_meeting", "user_id", "meeting_date", "id"),
        Index("ix_recordings_user_title", "user_id", "title", "id"),
        Index("ix_recordings_user_size", "user_id", "file_size", "id"),
        Index("ix_recordings_user_duration", "user_id", "audio_duration", "id"),
        Index("ix_recordings_user_status", "user_id", "status", "id"),
        Index("ix_recordings_user_sha256", "user_id", "sha256"),
        Index("ix_recordings_user_updated", "user_id", "updated_at", "id"),
        Index("ix_recordings_user_completed", "user_id", "completed_at"),
        # The orphan sweep asks which of 500 keys are in use.
        Index("ix_recordings_storage_key", "storage_key"),
        # Dashboards add these up every few seconds: the index alone answers.
        Index("ix_recordings_user_sums", "user_id", "status", "storage_key", "file_size"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    folder_id: Mapped[int | None] = mapped_column(ForeignKey("folders.id", ondelete="SET NULL"), index=True)
    title: Mapped[str] = mapped_column(String(200))
    participants: Mapped[str | None] = mapped_column(String(1000))
    status: Mapped[RecordingStatus] = mapped_column(default=RecordingStatus.PENDING)
    error_code: Mapped[str | None] = mapped_column(String(60))
    error_message: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)
    completed_at: Mapped[datetime | None]
    meeting_date: Mapped[datetime | None]
    meeting_date_source: Mapped[str | None] = mapped_column(String(20))
    """A `domain.recordings.DateSource`; None of recordings of earlier versions, and of those made of others."""

    original_filename: Mapped[str] = mapped_column(String(255))
    mime_type: Mapped[str] = mapped_column(String(100))
    file_size: Mapped[int] = mapped_column(BigInteger)
    """In bytes, of the file as it is kept."""
    sha256: Mapped[str] = mapped_column(String(64))
    """Of the bytes as received."""
    storage_key: Mapped[str | None] = mapped_column(String(120))
    """None once the audio has been removed and the text kept."""
    has_video: Mapped[bool] = mapped_column(default=False)
    keep_audio_only: Mapped[bool] = mapped_column(default=False)
    audio_duration: Mapped[float | None]
    """In seconds."""
    tracks: Mapped[list[Any] | None]
    """The audio tracks of the file in the form of the API; None of recordings of earlier versions."""
    warnings: Mapped[list[Any] | None]
    """Values of `domain.recordings.Warned`."""
    skipped_seconds: Mapped[float | None]
    """How much sound was skipped because it is broken; None until it is decoded."""

    is_inbox: Mapped[bool] = mapped_column(default=True)
    is_highlighted: Mapped[bool] = mapped_column(default=False)
    deletion_exempt: Mapped[bool] = mapped_column(default=False)
    has_transcription: Mapped[bool] = mapped_column(default=False)
    """False also for a recording in which nothing is said; see `is_transcribed`."""
    has_summary: Mapped[bool] = mapped_column(default=False)
    language: Mapped[str | None] = mapped_column(String(16))
    confidence: Mapped[float | None]
    """Mean confidence of the present segments, 0 to 1; None if no segment has one."""
    transcription_engine: Mapped[str | None] = mapped_column(String(120))
    processing_time_seconds: Mapped[float | None]
    transcription_duration_seconds: Mapped[float | None]
    summarization_duration_seconds: Mapped[float | None]
    transcript_revision: Mapped[int] = mapped_column(default=0, server_default="0")
    """Grows with every change of the transcript."""
    summary_revision: Mapped[int] = mapped_column(default=0, server_default="0")
    """The revision of the transcript that the summary belongs to."""
    hints: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What the upload asked for: the fields of `domain.transcript.Hints` and prompt variables."""

    transcribed_with: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    """The options that the engine got for the present transcript, and those that it ignored."""
    quality: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    """`domain.transcript_quality.TranscriptQuality` of the present transcript as it was recognised."""

    notes: Mapped[str | None] = mapped_column(Text, deferred=True)
    summary: Mapped[str | None] = mapped_column(Text, deferred=True)

    @property
    def is_transcribed(self) -> bool:
        """Whether there is a transcript, even one without any segment."""
        was_transcribed = self.transcription_engine is not None or self.transcript_revision > 0
        return self.has_transcription or was_transcribed
