"""Idempotency keys, and the stored answers to repeated requests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base
from speakr.domain.clock import now


class IdempotencyKey(Base):
    """One key of one user. The answer is stored in the transaction that did the work."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (UniqueConstraint("user_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(255))
    operation: Mapped[str] = mapped_column(String(120))
    owner: Mapped[str] = mapped_column(String(32))
    """The request that holds the key; another may take over after `locked_until`."""
    locked_until: Mapped[datetime]
    holder: Mapped[str | None] = mapped_column(String(100))
    """The process that works on the request, `system/processes.py`; once it has ended, another may take over at once."""
    fingerprint: Mapped[str | None] = mapped_column(String(64))
    response_status: Mapped[int | None]
    response_body: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
