"""Tags, and their order on a recording."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base
from speakr.models.filing import Filing


class Tag(Filing, Base):
    """A label, of one person or of a group, with defaults for whatever it is put on."""

    __tablename__ = "tags"
    __table_args__ = (
        CheckConstraint("(user_id IS NULL) <> (group_id IS NULL)", name="one_owner"),
        Index("uq_tags_user_id_name", "user_id", "name", unique=True),
        Index("uq_tags_group_id_name", "group_id", "name", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    color: Mapped[str] = mapped_column(String(7), default="#3B82F6")


class RecordingTag(Base):
    """A tag on a recording; `position` keeps the order in which prompts are stacked."""

    __tablename__ = "recording_tags"
    __table_args__ = (Index("ix_recording_tags_tag", "tag_id", "recording_id"),)

    recording_id: Mapped[int] = mapped_column(
        ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True
    )
    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int]
