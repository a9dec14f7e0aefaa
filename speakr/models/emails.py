"""E-mails to users, before and after they are sent."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base
from speakr.domain.clock import now
from speakr.domain.emails import EmailKind, EmailState


class Email(Base):
    """One e-mail to one user. The row has no text: it is written when the e-mail is sent."""

    __tablename__ = "emails"
    __table_args__ = (Index("ix_emails_state", "state", "next_attempt_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    kind: Mapped[EmailKind]
    address: Mapped[str] = mapped_column(String(254))
    state: Mapped[EmailState] = mapped_column(default=EmailState.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    """Attempts that count; it grows when one begins."""
    created_at: Mapped[datetime] = mapped_column(default=now)
    next_attempt_at: Mapped[datetime] = mapped_column(default=now)
    settled_at: Mapped[datetime | None]
    """When the state became final."""
    used_at: Mapped[datetime | None]
    """When the code of a verification was used. It is valid once."""
