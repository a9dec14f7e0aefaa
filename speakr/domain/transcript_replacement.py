"""A transcript replaced by a client's own list of segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from speakr.domain.errors import Invalid
from speakr.domain.transcript import DEFAULT_SPEAKER_LABEL, Word
from speakr.domain.transcript_edits import Segments, check_order, new_segment, with_borders, with_text
from speakr.domain.transcript_history import StoredSegment
from speakr.domain.word_alignment import align, one_line, tokens_of


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
    made: list[StoredSegment] = []
    for number, each in enumerate(given):
        if each.id is not None:
            segment = _changed(by_id[each.id], each)
        else:
            segment = _new(left_out, each, found.get(number), made[-1].speaker if made else None)
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
    left_out: Segments, each: GivenSegment, found: tuple[float, float] | None, before: str | None
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
    inside = [
        word
        for segment in left_out
        if segment.start < end and segment.end > start
        for word in segment.spoken_words()
        if start <= (word.start + word.end) / 2 <= end
    ]
    speaker = each.speaker or _speaker_at(left_out, start, end) or before or DEFAULT_SPEAKER_LABEL
    return new_segment(start, end, each.text, speaker, inside)


def _speaker_at(segments: Segments, start: float, end: float) -> str | None:
    """Return who speaks most of a time."""
    best = max(segments, key=lambda each: min(each.end, end) - max(each.start, start), default=None)
    return best.speaker if best and min(best.end, end) >= max(best.start, start) else None


def _times_by_words(left_out: Segments, given: Sequence[GivenSegment]) -> dict[int, tuple[float, float]]:
    """Return the times of segments that have neither id nor both times, from the words that they share with old ones."""
    numbers = [
        number
        for number, each in enumerate(given)
        if each.id is None and (each.start is None or each.end is None) and one_line(each.text)
    ]
    old: list[Word] = []
    for segment in left_out:
        old += segment.spoken_words() or align((), segment.text, segment.start, segment.end)
    if not numbers or not old:
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
