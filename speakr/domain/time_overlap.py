"""How much time two lists of spans share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from speakr.domain.transcript import Span


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return the time that spans cover, in order and without overlaps."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda each: (each.start, each.end)):
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        elif span.end > span.start:
            found.append(span)
    return found


def seconds_of(spans: Iterable[Span]) -> float:
    """Return the total length of spans that do not overlap each other."""
    return sum(span.end - span.start for span in spans)


def shared_seconds(one: Sequence[Span], other: Sequence[Span]) -> float:
    """Return the time that both cover, in seconds. Each is in order and without overlaps (`merged`)."""
    shared, first, second = 0.0, 0, 0
    while first < len(one) and second < len(other):
        a, b = one[first], other[second]
        shared += max(0.0, min(a.end, b.end) - max(a.start, b.start))
        if a.end <= b.end:
            first += 1
        else:
            second += 1
    return shared
