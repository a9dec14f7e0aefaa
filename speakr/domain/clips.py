"""Clips: audio that is transcribed for one request and not kept. Plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from speakr.domain.transcript import Segment

ClipSegment = Segment
"""`start`, `end` in seconds of the clip; `text`, `words`, `speaker`, and `confidence` where the engine gives it."""

MAX_KNOWN_SPEAKERS: Final = 4
MAX_SPEAKER_NAME: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSpeaker:
    """A person whose voice may be in the clip. `audio`: a file with some seconds of that voice, at most `MAX_REFERENCE_BYTES`."""

    name: str
    audio: bytes


MAX_REFERENCE_BYTES: Final = 2 * 1024 * 1024
MAX_REFERENCE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipOptions:
    """How to transcribe a clip. What the engine does not support is ignored, except `translate`."""

    language: str | None = None
    """ISO 639-1; None: the engine detects it."""
    prompt: str | None = None
    hotwords: str | None = None
    model: str | None = None
    diarize: bool = False
    min_speakers: int | None = None
    max_speakers: int | None = None
    known_speakers: Sequence[KnownSpeaker] = ()
    """Their names replace the labels of speakers with a similar voice; needs `diarize`."""
    translate: bool = False
    """Write English, whatever is spoken."""
    live: bool = False
    """A client follows the segments, so the first ones must come early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipResult:
    """The transcript of a clip. `speakers`: labels or names in order of appearance; empty without `diarize`."""

    text: str
    language: str | None
    duration_seconds: float
    segments: Sequence[ClipSegment]
    speakers: Sequence[str]
    model: str
    language_probability: float | None = None
    """0 to 1, if the engine detected the language and says how sure it is."""
    ignored_options: Sequence[str] = ()
    """Requested options that the engine does not support."""
