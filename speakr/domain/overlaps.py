"""Segments during which another speaker talks too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from speakr.domain.transcript import Segment

MIN_OVERLAP_SECONDS: Final = 0.25
"""Seconds that two segments must share; annotators differ by less about the bounds of words."""


def mark_overlaps(segments: Sequence[Segment]) -> list[Segment]:
    """Return the segments with `overlap` set where another speaker's segment is at the same time.

    segments: in the order of their starts.
    """
    overlapping: set[int] = set()
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
