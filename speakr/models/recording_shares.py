"""Shares: a recording shared with one user by name."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base
from speakr.domain.clock import now


class RecordingShare(Base):
    """Permission of one user on a recording. Access of groups follows from tags and folders instead."""

    __tablename__ = "recording_shares"
    __table_args__ = (
        Index("uq_recording_shares", "recording_id", "user_id", unique=True),
        Index("ix_recording_shares_user", "user_id", "recording_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    recording_id: Mapped[int] = mapped_column(ForeignKey("recordings.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    can_edit: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)
