"""Folders: a recording is in one at most."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base
from speakr.domain.clock import now
from speakr.models.hint_defaults import HintDefaults


class Folder(HintDefaults, Base):
    """A user's folder, with defaults for what is put into it."""

    __tablename__ = "folders"
    __table_args__ = (UniqueConstraint("user_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(100))
    color: Mapped[str] = mapped_column(String(7), default="#10B981")
    created_at: Mapped[datetime] = mapped_column(default=now)
