"""States of a recording, its placeholder title, and words for what its file is like."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from enum import StrEnum


class RecordingStatus(StrEnum):
    """What users see of a recording's progress; the five documented values."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    SUMMARIZING = "SUMMARIZING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


WITHOUT_TEXT = frozenset({RecordingStatus.PENDING, RecordingStatus.PROCESSING})
"""States in which a transcription waits or runs. An earlier text is about to be replaced."""


class Channels(StrEnum):
    """What to do with the channels of a track."""

    AUTO = "auto"
    """Separate the two sides of a call, mix everything else."""
    SEPARATE = "separate"
    """One speaker per channel."""
    MIX = "mix"


class Warned(StrEnum):
    """What users should know about the file of a recording."""

    DAMAGED = "damaged"
    """Broken packets were skipped; `skipped_seconds` says how much sound they had."""
    CUT_OFF = "cut_off"
    """Decoding stopped in the middle of the damage."""
    TRACK_NOT_DECODED = "track_not_decoded"
    """There is an audio track that this server cannot decode."""
    CHANNELS_MIXED = "channels_mixed"
    """The channels should have been separated, but there are too many."""
    VIDEO_KEPT = "video_kept"
    """The whole file is kept although only its sound was wanted, because not all of the sound can be taken out."""


class DateSource(StrEnum):
    """Where `meeting_date` comes from."""

    GIVEN = "given"
    FILE_LAST_MODIFIED = "file_last_modified"
    EMBEDDED = "embedded"
    FILE_NAME = "file_name"
    FILE_TIME_HINT = "file_time_hint"
    UPLOAD = "upload"


MAX_TRACKS = 32
"""Audio tracks of a file that are described and transcribed."""

MAX_COPIES = 100
"""Recordings of the same bytes that a recording names, the oldest first."""

FIRST_WORDS = "first_words"
"""What an upload asks for to get the first words of its transcript as title."""

_TITLE_WORDS = 8

TITLE_PLACEHOLDER = "Recording - "


def placeholder_title(filename: str) -> str:
    """Return the title of a recording without one; a generated title may replace only such a title."""
    return f"{TITLE_PLACEHOLDER}{filename}"[:200]


def is_placeholder(title: str) -> bool:
    """Return True if `placeholder_title` made this title."""
    return title.startswith(TITLE_PLACEHOLDER) or not title.strip()


def title_of_first_words(texts: Iterable[str]) -> str:
    """Return the first eight words of a transcript, with `...` if there are as many; empty without any word."""
    words = list(itertools.islice((word for text in texts for word in text.split()), _TITLE_WORDS))
    return " ".join(words)[:190] + ("..." if len(words) == _TITLE_WORDS else "")
