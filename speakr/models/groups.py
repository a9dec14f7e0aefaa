"""Groups of users who share tags, folders and their recordings."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base
from speakr.domain.clock import now
from speakr.domain.permissions import GroupRole


class Group(Base):
    """A group."""

    __tablename__ = "groups"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    description: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[datetime] = mapped_column(default=now)


class GroupMembership(Base):
    """One member of one group."""

    __tablename__ = "group_memberships"
    __table_args__ = (Index("ix_group_memberships_user", "user_id", "group_id"),)

    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[GroupRole] = mapped_column(default=GroupRole.MEMBER)
    joined_at: Mapped[datetime] = mapped_column(default=now)
