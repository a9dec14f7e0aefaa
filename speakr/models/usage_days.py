"""What each user used, per day."""

from __future__ import annotations

from datetime import date

from sqlalchemy import BigInteger, Date, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base


class UsageDay(Base):
    """Counters of one user on one UTC day, added to in the transaction of the work they count."""

    __tablename__ = "usage_days"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    transcribed_seconds: Mapped[float] = mapped_column(default=0.0)
