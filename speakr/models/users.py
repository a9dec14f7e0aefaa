"""Users."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base
from speakr.domain.clock import now


class User(Base):
    """A user with a library of recordings."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(80), unique=True)
    email: Mapped[str | None] = mapped_column(String(254), unique=True)
    name: Mapped[str | None] = mapped_column(String(120))
    first_name: Mapped[str | None] = mapped_column(String(150))
    last_name: Mapped[str | None] = mapped_column(String(150))
    job_title: Mapped[str | None] = mapped_column(String(120))
    company: Mapped[str | None] = mapped_column(String(120))
    password_hash: Mapped[str | None] = mapped_column(String(200))
    is_admin: Mapped[bool] = mapped_column(default=False)
    is_active: Mapped[bool] = mapped_column(default=True)
    email_verified: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)
    preferences: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What differs from `services.users.DEFAULT_PREFERENCES`."""
    token_budget: Mapped[int | None]
    """Language model tokens per calendar month; None is unlimited."""
    transcription_budget_seconds: Mapped[int | None]
    """Seconds of audio per calendar month; None is unlimited."""
    storage_quota_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """Bytes of audio kept; None is unlimited."""
