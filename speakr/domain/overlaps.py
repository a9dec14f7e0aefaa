"""Segments during which another speaker talks too."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from speakr.domain.transcript import Segment, Span

MIN_OVERLAP_SECONDS: Final = 0.25
"""Seconds that two segments must share; annotators differ by less about the bounds of words."""


def mark_overlaps(segments: Sequence[Segment], overlaps: Sequence[Span] = ()) -> list[Segment]:
    """Return the segments with `overlap` set where another speaker talks at the same time.

    segments: in the order of their starts; overlaps: where the diarization found two speakers, in order. Segments of
    two speakers at the same time are an overlap too.
    """
    overlapping = _in_overlaps(segments, overlaps)
    open_by_speaker: dict[str, list[int]] = {}
    """Segments not known to overlap yet. Each leaves once it overlaps or ends, so one pass suffices."""
    reaches: dict[str, float] = {}
    """The ends of the two segments by different speakers that end last."""
    for at, segment in enumerate(segments):
        if segment.end - segment.start < MIN_OVERLAP_SECONDS:
            continue
        earliest_end = segment.start + MIN_OVERLAP_SECONDS
        for speaker in [speaker for speaker in open_by_speaker if speaker != segment.speaker]:
            overlapping.update(
                other for other in open_by_speaker.pop(speaker) if segments[other].end >= earliest_end
            )
        if any(speaker != segment.speaker and end >= earliest_end for speaker, end in reaches.items()):
            overlapping.add(at)
        else:
            open_by_speaker.setdefault(segment.speaker, []).append(at)
        reaches[segment.speaker] = max(segment.end, reaches.get(segment.speaker, segment.end))
        if len(reaches) > 2:  # noqa: PLR2004 - at least one of two is another speaker
            del reaches[min(reaches, key=lambda speaker: reaches[speaker])]
    return [
        replace(segment, overlap=at in overlapping) if segment.overlap != (at in overlapping) else segment
        for at, segment in enumerate(segments)
    ]


def _in_overlaps(segments: Sequence[Segment], overlaps: Sequence[Span]) -> set[int]:
    """Return the positions of the segments that share enough time with one of the overlaps."""
    starts = [overlap.start for overlap in overlaps]
    longest = max((overlap.end - overlap.start for overlap in overlaps), default=0.0)
    found = set()
    for at, segment in enumerate(segments):
        near = overlaps[bisect_left(starts, segment.start - longest) : bisect_left(starts, segment.end)]
        if any(
            min(segment.end, overlap.end) - max(segment.start, overlap.start) >= MIN_OVERLAP_SECONDS
            for overlap in near
        ):
            found.add(at)
    return found
