"""Speakers of a user, and the names of labels in a recording."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Float, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base
from speakr.domain.clock import now


class Speaker(Base):
    """A person who speaks in a user's recordings."""

    __tablename__ = "speakers"
    __table_args__ = (Index("uq_speakers_user_id_name", "user_id", "name", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(120))
    last_used_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class RecordingSpeaker(Base):
    """The name behind one label (`SPEAKER_00`) of one recording.

    Segments keep the label, so a rename is one statement however long the transcripts are. The name stays when the
    speaker is deleted.
    """

    __tablename__ = "recording_speakers"
    __table_args__ = (Index("ix_recording_speakers_speaker", "speaker_id"),)

    recording_id: Mapped[int] = mapped_column(
        ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True
    )
    label: Mapped[str] = mapped_column(String(120), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    speaker_id: Mapped[int | None] = mapped_column(ForeignKey("speakers.id", ondelete="SET NULL"))
    confirmed: Mapped[bool] = mapped_column(default=True)
    """True if a user assigned the name; False if Speakr did by voice, which does not change the profile."""


class RecordingVoice(Base):
    """The voice vector of one label of one recording. Biometric data: its owner may delete all of it.

    A speaker's voice profile is no row: it is the mean of the voices that people confirmed to be theirs. So removing a name, merging speakers and deleting recordings change it at once.
    """

    __tablename__ = "recording_voices"

    recording_id: Mapped[int] = mapped_column(
        ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True
    )
    label: Mapped[str] = mapped_column(String(120), primary_key=True)
    vector: Mapped[bytes] = mapped_column(LargeBinary)
    """192 half floats, little-endian, of length 1; those of earlier models may have another number."""
    seconds: Mapped[float] = mapped_column(Float)
    """Seconds of speech behind the vector."""
    model: Mapped[str] = mapped_column(String(40))
    """Vectors of different models cannot be compared."""
