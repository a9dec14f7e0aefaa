"""Changes of a transcript: each takes the segments as they are and returns them as they will be.

Segments that a change does not concern are returned as the same objects. Indexes count from 0, ranges include both
ends, times are seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from speakr.domain.corrected_text import share_out, without_prefixes
from speakr.domain.errors import Invalid, NotFound
from speakr.domain.transcript import DEFAULT_SPEAKER_LABEL, Word
from speakr.domain.transcript_history import StoredSegment, word_rows
from speakr.domain.word_alignment import align, one_line, tokens_of

Segments = Sequence[StoredSegment]

MAX_SEGMENTS = 50_000
"""Segments of a transcript."""
MAX_WORDS = 350_000
"""Words of a transcript, characters of scripts without spaces among them: more than is said in a day."""
_MILLISECOND = 0.001


def with_text(segment: StoredSegment, text: str) -> StoredSegment:
    """Return a segment that says something else; its words keep their times where they stay."""
    text = one_line(text)
    if text == segment.text:
        return segment
    # An engine that gave no words gave no times to keep.
    words = align(segment.spoken_words(), text, segment.start, segment.end) if segment.words else ()
    return replace(segment, text=text, words=word_rows(words))


def replace_text(
    segments: Segments, text: str, speakers: Collection[str], duration: float
) -> list[StoredSegment]:
    """Return the transcript with another text. Segments keep their borders; those without a word are left out."""
    plain = without_prefixes(text, speakers)
    if not segments and plain.strip():
        return [new_segment(0.0, duration, plain, DEFAULT_SPEAKER_LABEL)]
    parts = share_out([segment.text for segment in segments], plain)
    return [with_text(segment, part) for segment, part in zip(segments, parts, strict=True) if part]


def new_segment(start: float, end: float, text: str, speaker: str, old: Sequence[Word] = ()) -> StoredSegment:
    """Return a segment that was not there, with words of the time as far as they are said in it."""
    inside = [replace(word, start=max(word.start, start), end=min(max(word.end, start), end)) for word in old]
    words = align(inside, text, start, end)
    return StoredSegment(
        None, start, end, one_line(text), speaker, None, overlap=False, words=word_rows(words)
    )


def get(segments: Segments, index: int) -> StoredSegment:
    """Return one segment.

    Raises:
        NotFound: there are not so many.

    """
    if index >= len(segments):
        raise NotFound(f"There is no segment {index}: the transcript has {len(segments)}", code="no_segment")
    return segments[index]


def change_segment(
    segments: Segments,
    index: int,
    *,
    text: str | None = None,
    speaker: str | None = None,
    start: float | None = None,
    end: float | None = None,
) -> list[StoredSegment]:
    """Return the transcript with one segment changed. Words stay inside the borders of their segment."""
    segment = get(segments, index)
    if start is not None or end is not None:
        segment = with_borders(
            segment, segment.start if start is None else start, segment.end if end is None else end
        )
    if text is not None:
        segment = with_text(segment, text)
    if speaker is not None and speaker != segment.speaker:
        segment = replace(segment, speaker=speaker)
    if not segment.text:
        return [*segments[:index], *segments[index + 1 :]]
    changed = [*segments[:index], segment, *segments[index + 1 :]]
    if start is not None or end is not None:
        check_order(changed[max(index - 1, 0) : index + 2])
    return changed


def with_borders(segment: StoredSegment, start: float, end: float) -> StoredSegment:
    """Return a segment with other times; its words are moved inside them."""
    # Clients send times back as they have read them, perhaps rounded.
    start = segment.start if abs(start - segment.start) < _MILLISECOND else start
    end = segment.end if abs(end - segment.end) < _MILLISECOND else end
    if (start, end) == (segment.start, segment.end):
        return segment
    words = [
        replace(word, start=min(max(word.start, start), end), end=min(max(word.end, start), end))
        for word in segment.spoken_words()
    ]
    return replace(segment, start=start, end=end, words=word_rows(words))


def check_order(segments: Segments) -> None:
    """Refuse segments that end before they start, or start before the one before them does."""
    latest = 0.0
    for segment in segments:
        if segment.end < segment.start:
            raise Invalid(
                f"The segment that starts at {segment.start:g} s ends before it starts",
                errors={"end": ["is before start"]},
            )
        if segment.start < latest:
            raise Invalid(
                f"A segment starts at {segment.start:g} s, which is before the segment before it",
                code="segments_out_of_order",
                errors={"start": ["is before that of the segment before"]},
            )
        latest = segment.start


def set_speaker(segments: Segments, first: int, last: int, speaker: str) -> list[StoredSegment]:
    """Return the transcript with a range of segments given to a speaker."""
    _check_range(segments, first, last)
    return [
        replace(segment, speaker=speaker)
        if first <= index <= last and segment.speaker != speaker
        else segment
        for index, segment in enumerate(segments)
    ]


def set_speaker_of_words(
    segments: Segments, index: int, first_word: int, last_word: int, speaker: str
) -> list[StoredSegment]:
    """Return the transcript with some words of a segment given to a speaker, as a segment of their own."""
    words = words_of(get(segments, index))
    if last_word < first_word or last_word >= len(words):
        raise Invalid(
            f"Segment {index} has words 0 to {len(words) - 1}",
            errors={"last_word": ["is not in the segment"]},
        )
    changed = list(segments)
    at = index
    if last_word + 1 < len(words):
        changed = split_at_word(changed, index, last_word + 1)
    if first_word:
        changed = split_at_word(changed, index, first_word)
        at = index + 1
    return set_speaker(changed, at, at, speaker)


def split_at_word(segments: Segments, index: int, word: int) -> list[StoredSegment]:
    """Return the transcript with a segment split before one of its words; the first part keeps its id."""
    segment = get(segments, index)
    words = words_of(segment)
    if not 0 < word < len(words):
        raise Invalid(
            f"Segment {index} can be split before words 1 to {len(words) - 1}",
            code="cannot_split",
            errors={"word": ["is not inside the segment"]},
        )
    border = min(max(words[word].start, segment.start), segment.end)
    cut = _offset_of_word(segment.text, words, word)
    left, right = words[:word], words[word:]
    keeps_words = bool(segment.words)
    parts = [
        replace(
            segment,
            end=min(border, segment.end),
            text=segment.text[:cut].strip(),
            words=word_rows(left) if keeps_words else [],
        ),
        replace(
            segment,
            id=None,
            start=border,
            text=segment.text[cut:].strip(),
            words=word_rows(right) if keeps_words else [],
        ),
    ]
    return [*segments[:index], *parts, *segments[index + 1 :]]


def split_at_time(segments: Segments, index: int, time: float) -> list[StoredSegment]:
    """Return the transcript with a segment split before the first word that starts at this time or later."""
    segment = get(segments, index)
    words = words_of(segment)
    before = sum((word.start + word.end) / 2 < time for word in words)
    if not segment.start < time < segment.end or not 0 < before < len(words):
        raise Invalid(
            f"Segment {index} has no words on both sides of {time:g} s",
            code="cannot_split",
            errors={"time": ["is not between words of the segment"]},
        )
    return split_at_word(segments, index, before)


def words_of(segment: StoredSegment) -> list[Word]:
    """Return a segment's words, or those of its text with estimated times."""
    return segment.spoken_words() or list(align((), segment.text, segment.start, segment.end))


def _offset_of_word(text: str, words: Sequence[Word], number: int) -> int:
    """Return where a word starts in the text of its segment."""
    tokens = tokens_of(text)
    if not tokens:
        return 0
    before = sum(len(tokens_of(word.text)) for word in words[:number])
    total = sum(len(tokens_of(word.text)) for word in words)
    # An engine's words may differ from its text: then the place is estimated.
    at = before if total == len(tokens) else round(before * len(tokens) / max(total, 1))
    return tokens[min(max(at, 1), len(tokens) - 1)].start


def merge(segments: Segments, first: int, last: int) -> list[StoredSegment]:
    """Return the transcript with adjacent segments made one, which keeps id and speaker of the first."""
    _check_range(segments, first, last)
    if first == last:
        raise Invalid("Name at least two segments", errors={"last": ["must be after first"]})
    parts = segments[first : last + 1]
    has_words = all(part.words or not part.text for part in parts)
    known = [part.confidence for part in parts if part.confidence is not None]
    whole = replace(
        parts[0],
        end=max(part.end for part in parts),
        text=one_line(" ".join(part.text for part in parts)),
        words=[row for part in parts for row in part.words] if has_words else [],
        confidence=sum(known) / len(known) if known else None,
        overlap=any(part.overlap for part in parts),
    )
    return [*segments[:first], whole, *segments[last + 1 :]]


def delete(segments: Segments, first: int, last: int) -> list[StoredSegment]:
    """Return the transcript without a range of segments."""
    _check_range(segments, first, last)
    return [*segments[:first], *segments[last + 1 :]]


def substitute(segments: Segments, change: Callable[[str], str]) -> list[StoredSegment]:
    """Return the transcript with the text of each segment changed; those left without a word vanish."""
    changed = [with_text(segment, change(segment.text)) for segment in segments]
    return [new for new, old in zip(changed, segments, strict=True) if new is old or new.text]


def _check_range(segments: Segments, first: int, last: int) -> None:
    if last < first:
        raise Invalid("The range ends before it starts", errors={"last": ["must not be before first"]})
    get(segments, last)
