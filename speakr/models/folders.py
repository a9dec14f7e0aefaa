"""Folders: a recording is in one at most."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base
from speakr.models.filing import Filing


class Folder(Filing, Base):
    """A place for recordings, of one person or of a group, with defaults for what is put into it."""

    __tablename__ = "folders"
    __table_args__ = (
        CheckConstraint("(user_id IS NULL) <> (group_id IS NULL)", name="one_owner"),
        # A name is taken per owner; nulls never clash, so each index minds one kind of owner.
        Index("uq_folders_user_id_name", "user_id", "name", unique=True),
        Index("uq_folders_group_id_name", "group_id", "name", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    color: Mapped[str] = mapped_column(String(7), default="#10B981")
