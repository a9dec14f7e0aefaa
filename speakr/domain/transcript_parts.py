"""Parts of transcripts: what is said before and after a time, and transcripts one after the other.

Times are seconds with three decimals. No function changes its arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter

from speakr.domain.transcript import Word
from speakr.domain.transcript_edits import split_at_word, words_of
from speakr.domain.transcript_history import StoredSegment, word_rows

Segments = Iterable[StoredSegment]


def before(segments: Segments, time: float) -> list[StoredSegment]:
    """Return what is said before a time. A word belongs to the side on which its middle lies."""
    return _in_order(
        bounded(left, 0.0, time) for each in segments if (left := _divided(each, time)[0]) is not None
    )


def after(segments: Segments, time: float) -> list[StoredSegment]:
    """Return what is said after a time, with the same rule for words."""
    return _in_order(
        bounded(right, time, None) for each in segments if (right := _divided(each, time)[1]) is not None
    )


def part_of(segments: Segments, start: float, end: float, duration: float) -> list[StoredSegment]:
    """Return what is said from `start` to `end` of a recording of this duration, with times that count from `start`."""
    found = list(segments)
    if start > 0.0:
        found = after(found, start)
    if end < duration:
        found = before(found, end)
    # Engines may place a last word a little after the end, where the next part begins.
    return [moved(bounded(each, start, end), -start) for each in found]


def joined(parts: Iterable[tuple[Segments, float, Mapping[str, str]]]) -> list[StoredSegment]:
    """Return parts as one transcript. Each comes with its offset and the new labels of its speakers."""
    return [
        replace(moved(each, offset), speaker=labels.get(each.speaker, each.speaker))
        for segments, offset, labels in parts
        for each in segments
    ]


def moved(segment: StoredSegment, seconds: float) -> StoredSegment:
    """Return a segment that is said later, or with a negative number earlier."""
    return _with_times(segment, lambda time: round(time + seconds, 3)) if seconds else segment


def bounded(segment: StoredSegment, start: float, end: float | None) -> StoredSegment:
    """Return a segment whose times lie between `start` and `end`."""
    if segment.start >= start and (end is None or segment.end <= end):
        words = segment.spoken_words()
        if all(word.start >= start and (end is None or word.end <= end) for word in words):
            return segment
    latest = float("inf") if end is None else end
    return _with_times(segment, lambda time: min(max(time, start), latest))


def _with_times(segment: StoredSegment, change: Callable[[float], float]) -> StoredSegment:
    words = [replace(word, start=change(word.start), end=change(word.end)) for word in segment.spoken_words()]
    return replace(
        segment, start=change(segment.start), end=change(segment.end), words=word_rows(words) if words else []
    )


def _divided(segment: StoredSegment, time: float) -> tuple[StoredSegment | None, StoredSegment | None]:
    """Return the parts of a segment before and after a time."""
    if segment.end <= time:
        return segment, None
    if segment.start >= time:
        return None, segment
    words = words_of(segment)
    said_before = sum(_middle(word) < time for word in words)
    if words and 0 < said_before < len(words):
        left, right = split_at_word([segment], 0, said_before)
        return left, replace(right, id=segment.id)
    is_before = said_before > 0 if words else (segment.start + segment.end) / 2 < time
    return (segment, None) if is_before else (None, segment)


def _middle(word: Word) -> float:
    return (word.start + word.end) / 2


def _in_order(segments: Iterable[StoredSegment]) -> list[StoredSegment]:
    # Where people speak at once, a segment that was split may start after the one that follows it.
    return sorted(segments, key=attrgetter("start"))


def seconds_by_speaker(segments: Sequence[StoredSegment]) -> dict[str, float]:
    """Return how long each label speaks."""
    seconds: dict[str, float] = {}
    for each in segments:
        seconds[each.speaker] = seconds.get(each.speaker, 0.0) + max(0.0, each.end - each.start)
    return seconds
