"""A recording with its texts as one flat object, for programs that take a name and a value and no structure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class FlatField(StrEnum):
    """The facts of a flat recording; callers choose the keys under which they are sent."""

    ID = "id"
    TITLE = "title"
    TEXT = "text"
    """The transcript with all corrections, without times and speakers."""
    RECOGNIZED_TEXT = "recognized_text"
    """The transcript as the engine returned it."""
    TAGS = "tags"
    """The names of the tags, joined by commas; empty without tags."""
    CREATED_AT = "created_at"
    """ISO 8601 in UTC, with the offset `+00:00`, which also old parsers read."""


Keys = Mapping[str, FlatField]
"""Key in the JSON object -> the fact that it has."""

ALL_KEYS: Keys = {field.value: field for field in FlatField}


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatRecording:
    """One recording. Texts are empty strings if nothing was said."""

    id: int
    title: str
    text: str
    recognized_text: str
    tags: str
    created_at: datetime

    def as_object(self, keys: Keys = ALL_KEYS) -> dict[str, Any]:
        """Return the JSON object with these keys, in their order."""
        values = {
            FlatField.ID: self.id,
            FlatField.TITLE: self.title,
            FlatField.TEXT: self.text,
            FlatField.RECOGNIZED_TEXT: self.recognized_text,
            FlatField.TAGS: self.tags,
            FlatField.CREATED_AT: self.created_at.astimezone(UTC).isoformat(timespec="seconds"),
        }
        return {key: values[field] for key, field in keys.items()}
