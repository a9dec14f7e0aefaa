"""Settings that an administrator can change while the server runs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base


class SystemSetting(Base):
    """One named value; the names and defaults are in `services/system_settings.py`."""

    __tablename__ = "system_settings"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[dict[str, Any]]
    """{"value": ...}: JSON of any type."""
