"""What tags and folders have in common: an owner, and what they hand down to the recordings they are put on."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from speakr.domain.clock import now


class Filing:
    """Columns of tags and folders. Exactly one of `user_id` and `group_id` is set: the owner."""

    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    custom_prompt: Mapped[str | None] = mapped_column(Text)
    default_language: Mapped[str | None] = mapped_column(String(16))
    default_min_speakers: Mapped[int | None]
    default_max_speakers: Mapped[int | None]
    default_hotwords: Mapped[str | None] = mapped_column(Text)
    default_initial_prompt: Mapped[str | None] = mapped_column(Text)
    default_transcription_model: Mapped[str | None] = mapped_column(String(120))

    protect_from_deletion: Mapped[bool] = mapped_column(default=False)
    retention_days: Mapped[int | None]
    auto_share_on_apply: Mapped[bool] = mapped_column(default=True)
    """Whether every member of the owning group sees what this is put on."""
    share_with_group_lead: Mapped[bool] = mapped_column(default=True)
    """Whether the group's admins see it, even where the members do not."""
    naming_template_id: Mapped[int | None] = mapped_column(ForeignKey("templates.id", ondelete="SET NULL"))
    export_template_id: Mapped[int | None] = mapped_column(ForeignKey("templates.id", ondelete="SET NULL"))
