"""A transcript replaced by a client's own list of segments."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from speakr.domain.errors import Invalid
from speakr.domain.transcript import DEFAULT_SPEAKER_LABEL, Word
from speakr.domain.transcript_edits import Segments, check_order, new_segment, with_borders, with_text
from speakr.domain.transcript_history import StoredSegment
from speakr.domain.word_alignment import align, one_line, tokens_of

MIN_COMPARISONS = 100_000
"""Words and segments that a request may compare its segments with, however short the old transcript is."""
_FEW = 20


@dataclass(frozen=True, slots=True)
class GivenSegment:
    """A segment as a client sends it; `speaker` is a label. What is None stays, or is found by the words."""

    text: str
    id: int | None = None
    start: float | None = None
    end: float | None = None
    speaker: str | None = None


def replace_segments(segments: Segments, given: Sequence[GivenSegment]) -> list[StoredSegment]:
    """Return the transcript that a client has sent.

    A segment with an `id` is the old one of that id with another text. One without takes its words from the old
    segments that the client left out: those of its time if it has times, else wherever its words were said.
    """
    by_id = {segment.id: segment for segment in segments}
    _check_ids(by_id, given)
    named = {each.id for each in given if each.id is not None}
    left_out = [segment for segment in segments if segment.id not in named]
    found = _times_by_words(left_out, given)
    old = _ByTime(left_out)
    made: list[StoredSegment] = []
    for number, each in enumerate(given):
        if each.id is not None:
            segment = _changed(by_id[each.id], each)
        else:
            segment = _new(old, each, found.get(number), made[-1].speaker if made else None)
        if segment.text:
            made.append(segment)
    check_order(made)
    return made


def _check_ids(known: dict[int | None, StoredSegment], given: Sequence[GivenSegment]) -> None:
    seen: set[int] = set()
    for number, each in enumerate(given):
        if each.id is None:
            continue
        if each.id not in known or each.id in seen:
            message = "is named twice" if each.id in seen else "is not in this transcript"
            raise Invalid(f"Segment {each.id} {message}", errors={f"segments.{number}.id": [message]})
        seen.add(each.id)


def _changed(segment: StoredSegment, each: GivenSegment) -> StoredSegment:
    start = segment.start if each.start is None else each.start
    end = segment.end if each.end is None else each.end
    changed = with_text(with_borders(segment, start, end), each.text)
    if each.speaker is not None and each.speaker != changed.speaker:
        changed = replace(changed, speaker=each.speaker)
    return changed


def _new(
    old: _ByTime, each: GivenSegment, found: tuple[float, float] | None, before: str | None
) -> StoredSegment:
    start = each.start if each.start is not None else found[0] if found else None
    end = each.end if each.end is not None else found[1] if found else None
    if start is None or end is None:
        raise Invalid(
            "A new segment needs start and end", errors={"segments": ["a new segment needs start and end"]}
        )
    end = max(end, start) if each.end is None else end
    if end < start:
        raise Invalid("A segment ends before it starts", errors={"segments": ["end is before start"]})
    speaker = each.speaker or old.speaker_at(start, end) or before or DEFAULT_SPEAKER_LABEL
    return new_segment(start, end, each.text, speaker, old.words_within(start, end))


class _ByTime:
    """The segments that a client left out, by time.

    A request of many segments that all overlap would compare each with every old one. So the comparisons of a request
    are bounded; beyond the bound, a segment gets estimated words and the speaker of its first neighbours.
    """

    def __init__(self, segments: Segments) -> None:
        self._segments = sorted(segments, key=lambda each: each.start)
        self._starts = [each.start for each in self._segments]
        self._latest_ends = list(accumulate((each.end for each in self._segments), max))
        self._words: list[tuple[float, int, Word]] = []
        for segment in segments:
            for word in segment.spoken_words():
                self._words.append(((word.start + word.end) / 2, len(self._words), word))
        self._words.sort()  # numbers are unique, so words are never compared
        self._middles = [each[0] for each in self._words]
        self._remaining = max(MIN_COMPARISONS, 10 * (len(self._words) + len(segments)))

    def words_within(self, start: float, end: float) -> list[Word]:
        """Return the words whose middle is in a time, in the order of the segments."""
        first, last = bisect_left(self._middles, start), bisect_right(self._middles, end)
        if not self._may_compare(last - first):
            return []
        return [word for _, _, word in sorted(self._words[first:last], key=lambda each: each[1])]

    def speaker_at(self, start: float, end: float) -> str | None:
        """Return who speaks most of a time."""
        first, last = bisect_left(self._latest_ends, start), bisect_right(self._starts, end)
        if not self._may_compare(last - first):
            last = min(last, first + _FEW)
        best = max(
            self._segments[first:last],
            key=lambda each: min(each.end, end) - max(each.start, start),
            default=None,
        )
        return best.speaker if best and min(best.end, end) >= max(best.start, start) else None

    def _may_compare(self, count: int) -> bool:
        self._remaining -= max(count, 0)
        return self._remaining >= 0


def _times_by_words(left_out: Segments, given: Sequence[GivenSegment]) -> dict[int, tuple[float, float]]:
    """Return the times of segments that have neither id nor both times, from the words that they share with old ones."""
    numbers = [
        number
        for number, each in enumerate(given)
        if each.id is None and (each.start is None or each.end is None) and one_line(each.text)
    ]
    if not numbers:
        return {}
    old: list[Word] = []
    for segment in left_out:
        old += segment.spoken_words() or align((), segment.text, segment.start, segment.end)
    if not old:
        return {}
    texts = [one_line(given[number].text) for number in numbers]
    counts = [len(tokens_of(text)) for text in texts]
    words = align(old, " ".join(texts), left_out[0].start, max(each.end for each in left_out))
    per_token = [word for word in words for _ in tokens_of(word.text)]
    times, at = {}, 0
    for number, count in zip(numbers, counts, strict=True):
        times[number] = (per_token[at].start, per_token[at + count - 1].end)
        at += count
    return times
