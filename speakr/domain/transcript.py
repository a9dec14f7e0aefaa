"""Transcripts: words in segments. Plain values that every layer may use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

DEFAULT_SPEAKER_LABEL = "SPEAKER_00"
UNDETERMINED = "und"
"""The language of speech that no engine here understands (ISO 639-2, BCP 47)."""


def numbered_label(number: int) -> str:
    """Return the label of a speaker without a name. number: from 0."""
    return f"SPEAKER_{number:02d}"


@dataclass(frozen=True, slots=True)
class Word:
    """One token, times in seconds from the start of the recording, probability 0 to 1."""

    text: str
    start: float
    end: float
    probability: float | None = None
    edited: bool = False
    """A person wrote it; it was not recognised, and its times are estimated."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech by one speaker label, times in seconds from the start of the recording."""

    start: float
    end: float
    text: str
    speaker: str = DEFAULT_SPEAKER_LABEL
    confidence: float | None = None
    words: Sequence[Word] = field(default=())
    overlap: bool = False
    """Another speaker talks at the same time."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of audio, in seconds."""

    start: float
    end: float

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A connector's result for one chunk. Times are in seconds of the recording."""

    segments: Sequence[Segment]
    language: str | None = None
    times_estimated: bool = False
    model: str | None = None
    """The model that transcribed, if the engine itself chose it."""
    language_probability: float | None = None
    """How sure the engine is of the language, 0 to 1."""
    retried_seconds: float = 0.0
    """Audio that was implausible and transcribed again."""
    repaired_seconds: float = 0.0
    """Audio of which the second transcription was kept."""


@dataclass(frozen=True, slots=True)
class Hints:
    """The user's hints about a recording, for the transcription engine."""

    language: str | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None
    hotwords: str | None = None
    initial_prompt: str | None = None
    model: str | None = None
    translate: bool | None = None
    """Write English, whatever is spoken; only for engines that can."""


_LONG_SEGMENTS, LONG_TEXT = 500, 20_000
"""Segments and characters from which work on a whole transcript takes so long that it belongs beside the event loop."""


def is_long(segments: Sequence[Any]) -> bool:
    """Tell whether work on all of these segments belongs beside the event loop."""
    return len(segments) > _LONG_SEGMENTS or sum(len(each.text) for each in segments) > LONG_TEXT
