"""What tags and folders hand down to the recordings they are put on."""

from __future__ import annotations

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column


class HintDefaults:
    """Columns that fill in what an upload does not say."""

    custom_prompt: Mapped[str | None] = mapped_column(Text)
    default_language: Mapped[str | None] = mapped_column(String(16))
    default_min_speakers: Mapped[int | None]
    default_max_speakers: Mapped[int | None]
    default_hotwords: Mapped[str | None] = mapped_column(Text)
    default_initial_prompt: Mapped[str | None] = mapped_column(Text)
    default_transcription_model: Mapped[str | None] = mapped_column(String(120))
