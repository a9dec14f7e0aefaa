"""The interface of an export format, and the timeline that subtitle formats share.

Segments arrive with the speaker's display name. They may be hand-edited or old, so times can be missing, negative, not
finite or reversed; `timeline` corrects them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from speakr.domain.transcript import Segment

FALLBACK_DURATION_MS = 1000
"""Milliseconds for which a cue is shown when its end is unknown."""

LATEST_SECONDS = 1e9
"""A time beyond this (thirty years) is invalid."""

LINE_BREAKS = re.compile("[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
UNPRINTABLE = re.compile("[\x00-\x08\x0e-\x1b\x1f\x7f\ud800-\udfff\ufeff]")


class Option(StrEnum):
    """What a format may support besides segments."""

    PARAGRAPHS = "paragraphs"
    """Segments of one speaker are joined to paragraphs."""
    TEMPLATE = "template"
    """Users may write their own template of a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The input of an exporter. Options that its format does not support are never set."""

    segments: Sequence[Segment]
    paragraphs: bool = False
    template: str | None = None
    """The user's own template; None means the built-in one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """One format: its name for clients, its media type, and how to write it piece by piece.

    `write` yields all text or all bytes. Text is UTF-8 on the wire and may be a string inside JSON; a binary format
    (`is_binary`) is always sent as a file.
    """

    name: str
    media_type: str
    extension: str
    description: str
    write: Callable[[Source], Iterator[str]] | Callable[[Source], Iterator[bytes]]
    is_binary: bool = False
    options: Collection[Option] = ()


@dataclass(frozen=True, slots=True)
class Cue:
    """A subtitle: whole milliseconds with start < end, text of one or more lines, none of them blank."""

    start_ms: int
    end_ms: int
    speaker: str
    text: str


def milliseconds(seconds: float | None) -> int | None:
    """Round seconds to milliseconds, halves up; return None when the time is missing or invalid."""
    if seconds is None or not math.isfinite(seconds) or seconds > LATEST_SECONDS:
        return None
    return math.floor(max(0.0, seconds) * 1000 + 0.5)


def clock(ms: int, decimal_mark: str) -> str:
    """Format milliseconds as `HH:MM:SS,mmm`; hours have three digits if needed."""
    seconds, rest = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{decimal_mark}{rest:03d}"


def one_line(text: str | None) -> str:
    """Put text on one line without control characters or lone surrogates."""
    return UNPRINTABLE.sub("", LINE_BREAKS.sub(" ", text or "")).strip()


def cue_text(text: str | None) -> str:
    """Clean text but keep its lines without blank ones: a blank line would end the cue."""
    lines = LINE_BREAKS.split(UNPRINTABLE.sub("", text or ""))
    return "\n".join(filter(None, (line.strip() for line in lines)))


def timeline(segments: Sequence[Segment]) -> list[Cue]:
    """Turn segments into cues in order of time. Segments without text are left out.

    A missing start is the end of the previous segment; a missing or invalid end is one second after the start. Two
    speakers may talk at once, so cues of different speakers may overlap; cues of one speaker never do.
    """
    cues: list[Cue] = []
    previous_end_ms = 0
    for segment in segments:
        text = cue_text(segment.text)
        start_ms = milliseconds(segment.start)
        end_ms = milliseconds(segment.end)
        if start_ms is None:
            start_ms = previous_end_ms
        if end_ms is None or end_ms <= start_ms:
            end_ms = start_ms + FALLBACK_DURATION_MS
        previous_end_ms = end_ms
        if text:
            cues.append(Cue(start_ms, end_ms, one_line(segment.speaker), text))
    cues.sort(key=lambda cue: cue.start_ms)  # WebVTT requires it, and stable sorting keeps the original order
    return _without_self_overlap(cues)


def _without_self_overlap(cues: list[Cue]) -> list[Cue]:
    """End each cue no later than the start of the same speaker's next one."""
    next_start_ms: dict[str, int] = {}
    shortened: list[Cue] = []
    for cue in reversed(cues):
        limit = next_start_ms.get(cue.speaker, cue.end_ms)
        shortened.append(replace(cue, end_ms=limit) if cue.start_ms < limit < cue.end_ms else cue)
        next_start_ms[cue.speaker] = cue.start_ms
    shortened.reverse()
    return shortened
