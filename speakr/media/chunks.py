"""Cut a recording into chunks for an engine, at pauses where possible."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

from speakr.domain.transcript import Span

MIN_PAUSE_SECONDS = 0.01


def plan_chunks(spans: Sequence[Span], target_seconds: float, max_seconds: float) -> list[list[Span]]:
    """Pack spans of speech into chunks, in order.

    A chunk reaches from the start of its first span to the end of its last, pauses included. It takes
    another span while that keeps it within `target_seconds`. A span longer than that makes a chunk by
    itself, and one longer than `max_seconds` is cut into equal parts: the only cuts inside speech.

    spans: sorted, not overlapping, in seconds. The same arguments always give the same plan.
    """
    chunks: list[list[Span]] = []
    for span in spans:
        for part in _within(span, max_seconds):
            if chunks and part.end - chunks[-1][0].start <= min(target_seconds, max_seconds):
                chunks[-1].append(part)
            else:
                chunks.append([part])
    return chunks


def _within(span: Span, max_seconds: float) -> Iterator[Span]:
    """Cut a span into the smallest number of equal parts within the limit; the parts touch."""
    count = max(1, math.ceil(span.duration / max_seconds))
    edges = [span.start + span.duration * at / count for at in range(count)] + [span.end]
    for start, end in itertools.pairwise(edges):
        yield Span(start, end)


def seams(chunks: Sequence[Sequence[Span]]) -> list[int]:
    """Return the positions of chunks that begin inside speech, where the one before them ends."""
    return [
        at for at in range(1, len(chunks)) if chunks[at][0].start - chunks[at - 1][-1].end < MIN_PAUSE_SECONDS
    ]
