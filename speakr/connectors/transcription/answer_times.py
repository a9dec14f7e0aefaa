"""Times in the answers of engines: read what is there, estimate what is missing.

The rule: the order of the answer stays, nothing leaves the chunk, and a time that is missing, no number, equal to or before
its partner is estimated from its neighbours, in proportion to the length of the texts. Estimates are said to be so.
Times count from the start of the chunk, in seconds, or in milliseconds where seconds would be far outside the chunk.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from speakr.connectors.transcription.words import overlap, spread_words
from speakr.domain.transcript import Span

_CLOCK = re.compile(r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2}(?:[.,]\d{1,6})?)")
_TOO_FAR = 2.0
"""Chunk lengths: whole numbers beyond it may be milliseconds."""
_MIN_MILLISECONDS = 100.0
_MAX_WORDS_PER_SECOND = 12.0
"""Faster than anyone speaks: numbers that mean this as milliseconds are seconds."""


@dataclass(frozen=True, slots=True)
class Window:
    """The chunk's place in the recording in seconds, and how many units of the answer are a second."""

    start: float
    end: float
    units: float = 1.0

    def place(self, time: object) -> float | None:
        """Shift a time of the answer into the recording and keep it inside the chunk; None if it is none."""
        number = number_in(time)
        return None if number is None else min(max(self.start + number / self.units, self.start), self.end)

    def place_both(self, start: object, end: object) -> tuple[float | None, float | None]:
        """Return a start and an end of which the second, if there is one, is after the first."""
        first, last = self.place(start), self.place(end)
        if first is not None and last is not None and last <= first:
            # Reversed or equal: the start is likelier to be right, unless it is the end of the chunk.
            return (None, None) if first >= self.end else (first, None)
        return first, last

    def in_units_of(self, times: Iterable[object], word_count: int) -> Window:
        """Return this window for an answer with these times and this number of words."""
        numbers = [number for time in times if (number := number_in(time)) is not None]
        latest = max(numbers, default=0.0)
        least = max(_MIN_MILLISECONDS, word_count / _MAX_WORDS_PER_SECOND * 1000.0)
        is_far = latest > _TOO_FAR * (self.end - self.start) + 1.0 and latest >= least
        is_whole = all(number.is_integer() for number in numbers)
        return Window(self.start, self.end, 1000.0 if is_far and is_whole else 1.0)


@dataclass(frozen=True, slots=True)
class Timed:
    """A text with the times that an answer gave it, in the recording's time."""

    text: str
    start: float | None
    end: float | None

    @property
    def is_complete(self) -> bool:
        """Whether nothing needs to be estimated."""
        return self.start is not None and self.end is not None


def number_in(value: object) -> float | None:
    """Return a finite number, also out of "1.5" or "00:00:01.5"; None for anything else (Python reads NaN in JSON)."""
    if isinstance(value, str):
        clock = _CLOCK.fullmatch(value.strip())
        if clock is not None:
            return int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + float(clock[3].replace(",", "."))
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def fill(entries: Sequence[Timed], window: Span, speech: Sequence[Span]) -> list[Span]:
    """Return the place of each entry, in the order given; complete ones keep theirs.

    window: where all of them are; speech: where there is speech. Estimates lie in speech if there is any.
    """
    places: list[Span] = []
    at, reached = 0, window.start
    while at < len(entries):
        first = entries[at]
        if first.start is not None and first.end is not None:
            places.append(Span(first.start, first.end))
            at += 1
        else:
            after = _end_of_hole(entries, at)
            begin = reached if first.start is None else max(first.start, min(reached, first.start))
            end = max(begin, _known_end(entries, at, after, window))
            places += _spread([entry.text for entry in entries[at:after]], begin, end, speech)
            at = after
        reached = min(max(reached, places[-1].end), window.end)
    return places


def _end_of_hole(entries: Sequence[Timed], at: int) -> int:
    """Return the index after the entries that must be placed together: up to the next start or end that is known."""
    while True:
        if entries[at].end is not None:
            return at + 1
        at += 1
        if at == len(entries) or entries[at].start is not None:
            return at


def _known_end(entries: Sequence[Timed], at: int, after: int, window: Span) -> float:
    own = entries[after - 1].end
    if own is not None:
        return own
    later = (entry.start for entry in entries[after:] if entry.start is not None)
    follower = next(later, window.end)
    started = entries[at].start
    return window.end if started is not None and follower <= started else follower


def _spread(texts: Sequence[str], begin: float, end: float, speech: Sequence[Span]) -> list[Span]:
    if end <= begin:
        return [Span(begin, begin)] * len(texts)
    words = spread_words(texts, overlap(speech, begin, end))
    return [Span(word.start, word.end) for word in words]
