"""Estimate what an engine leaves out: times and confidence of words."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from speakr.domain.transcript import Span, Word


def mean_probability(words: Sequence[Word]) -> float | None:
    """Average the words' probabilities, weighted by duration; None when no word has one.

    Weights follow the length: an error in a long word affects more of a segment.
    """
    known = [(word.probability, word.end - word.start) for word in words if word.probability is not None]
    if not known:
        return None
    total_seconds = sum(duration for _, duration in known)
    if total_seconds <= 0:
        return sum(probability for probability, _ in known) / len(known)
    return sum(probability * duration for probability, duration in known) / total_seconds


def spread_words(tokens: Sequence[str], spans: Sequence[Span]) -> list[Word]:
    """Estimate word times: lay the tokens along the speech in proportion to their length in letters.

    spans: ordered, not overlapping, in the recording's time. No word reaches across a pause: it belongs to
    the span that holds its middle.
    """
    spoken = [span for span in spans if span.duration > 0]
    if not tokens or not spoken:
        return []
    span_ends = list(accumulate(span.duration for span in spoken))
    letters = list(accumulate((len(token) for token in tokens), initial=0))
    seconds_per_letter = span_ends[-1] / letters[-1]
    words = []
    for token, first, last in zip(tokens, letters, letters[1:], strict=False):
        middle = (first + last) / 2 * seconds_per_letter
        home = min(bisect_right(span_ends, middle), len(spoken) - 1)
        shift = spoken[home].start - (span_ends[home] - spoken[home].duration)
        start = max(spoken[home].start, first * seconds_per_letter + shift)
        end = min(spoken[home].end, last * seconds_per_letter + shift)
        words.append(Word(text=token, start=start, end=max(start, end)))
    return words


def overlap(spans: Sequence[Span], start: float, end: float) -> list[Span]:
    """Return what of the spans lies between two times; the whole stretch when nothing does."""
    inside = [Span(max(span.start, start), min(span.end, end)) for span in spans]
    return [span for span in inside if span.duration > 0] or [Span(start, end)]
