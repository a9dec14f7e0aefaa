"""The transcript as data: a list of segments, times in seconds."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TypedDict

from speakr.domain.transcript import Segment
from speakr.exports.base import Exporter


class SegmentRow(TypedDict):
    """One segment as clients see it; a time that is not known is null."""

    speaker: str
    sentence: str
    start_time: float | None
    end_time: float | None


def rows(segments: Sequence[Segment]) -> list[SegmentRow]:
    """Return the segments as they are, times rounded to milliseconds."""
    return [
        {
            "speaker": segment.speaker,
            "sentence": segment.text,
            "start_time": _seconds(segment.start),
            "end_time": _seconds(segment.end),
        }
        for segment in segments
    ]


def render(segments: Sequence[Segment]) -> str:
    """Write the segments as one JSON array."""
    return json.dumps(rows(segments), ensure_ascii=False)


def _seconds(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), 3)


SEGMENTS = Exporter(name="json", media_type="application/json", extension="json", render=render)
