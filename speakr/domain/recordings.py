"""States of a recording, and its placeholder title."""

from __future__ import annotations

from enum import StrEnum


class RecordingStatus(StrEnum):
    """What users see of a recording's progress; the five documented values."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    SUMMARIZING = "SUMMARIZING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


MAX_COPIES = 100
"""Recordings of the same bytes that a recording names, the oldest first."""

TITLE_PLACEHOLDER = "Recording - "


def placeholder_title(filename: str) -> str:
    """Return the title of a recording without one; a generated title may replace only such a title."""
    return f"{TITLE_PLACEHOLDER}{filename}"[:200]


def is_placeholder(title: str) -> bool:
    """Return True if `placeholder_title` made this title."""
    return title.startswith(TITLE_PLACEHOLDER) or not title.strip()
