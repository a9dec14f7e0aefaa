"""The words for a recording's life."""

from __future__ import annotations

from enum import StrEnum


class RecordingStatus(StrEnum):
    """What users see of a recording's progress; the five documented values."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    SUMMARIZING = "SUMMARIZING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


TITLE_PLACEHOLDER = "Recording - "


def placeholder_title(filename: str) -> str:
    """Name a recording nobody named; only such titles may later be replaced by a written one."""
    return f"{TITLE_PLACEHOLDER}{filename}"[:200]


def is_placeholder(title: str) -> bool:
    """Tell whether a title was made by `placeholder_title`."""
    return title.startswith(TITLE_PLACEHOLDER) or not title.strip()
