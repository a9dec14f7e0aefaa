"""API tokens. Only the SHA-256 of a token is stored; a random token needs no slow hash."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base
from speakr.domain.clock import now


class ApiToken(Base):
    """A credential of one user. Revoked tokens stay in the list."""

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    prefix: Mapped[str] = mapped_column(String(12))
    """The first characters, so that people can tell their tokens apart."""
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)
    parent_id: Mapped[int | None] = mapped_column(index=True)
    """The token with which this one was created. It ends when its parent is revoked, and expires no later.

    No foreign key: rows of tokens go only with their user.
    """
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    @property
    def is_revoked(self) -> bool:
        """Whether the token is revoked."""
        return self.revoked_at is not None
