"""Blobs that no row refers to any more, until the storage has deleted them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base
from speakr.domain.clock import now


class UnwantedBlob(Base):
    """Written in the transaction that drops the last reference, so deleted means deleted even after a crash."""

    __tablename__ = "unwanted_blobs"

    storage_key: Mapped[str] = mapped_column(String(120), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
