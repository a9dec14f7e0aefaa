"""Sessions: what a login begins and a logout ends, behind a cookie or a pair of JWTs."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base
from speakr.domain.clock import now


class Session(Base):
    """One login of one user. A revoked session stays until it would have expired."""

    __tablename__ = "sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    family: Mapped[str] = mapped_column(String(40))
    """The API family that it is for."""
    sha256: Mapped[str | None] = mapped_column(String(64), unique=True)
    """Of the cookie's secret; None for a pair of JWTs, which are signed."""
    generation: Mapped[int] = mapped_column(default=0)
    """How often the refresh token was replaced; only the token of this generation is valid."""
    created_at: Mapped[datetime] = mapped_column(default=now)
    rotated_at: Mapped[datetime] = mapped_column(default=now)
    """When the tokens of this generation were issued."""
    expires_at: Mapped[datetime] = mapped_column(index=True)
    revoked_at: Mapped[datetime | None]
