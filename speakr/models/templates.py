"""Templates of users for transcripts, titles and exports."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base
from speakr.domain.clock import now
from speakr.domain.templates import TemplateKind

_IS_DEFAULT = text("is_default")


class Template(Base):
    """One template of one kind; each user has at most one default of a kind."""

    __tablename__ = "templates"
    __table_args__ = (
        Index("uq_templates_user_id_kind_name", "user_id", "kind", "name", unique=True),
        Index(
            "uq_templates_default",
            "user_id",
            "kind",
            unique=True,
            sqlite_where=_IS_DEFAULT,
            postgresql_where=_IS_DEFAULT,
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[TemplateKind]
    name: Mapped[str] = mapped_column(String(100))
    body: Mapped[str] = mapped_column(Text)
    is_default: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)
