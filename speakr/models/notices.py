"""Notices: messages from the server to a user."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base
from speakr.domain.clock import now
from speakr.domain.notices import NoticeKind


class Notice(Base):
    """One notice to one user, until they have read it."""

    __tablename__ = "notices"
    __table_args__ = (Index("ix_notices_user_id", "user_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[NoticeKind]
    text: Mapped[str] = mapped_column(String(500))
    webhook_id: Mapped[int | None] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    read_at: Mapped[datetime | None]
    mailed_at: Mapped[datetime | None]
    email_id: Mapped[int | None] = mapped_column(index=True)
    """The e-mail that reports this notice. No foreign key: rows of old e-mails are removed."""
