"""JSON of transcripts and their changes, built as plain dicts like in `presenters`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from speakr.domain.quality import words_per_minute
from speakr.services.corrections.editing import Edited

_AT_ONCE = 500
"""Segments that are written to JSON in one call."""


def as_json(revision: int, segments: Sequence[Any], *, with_words: bool) -> bytes:
    """Return a transcript (`TranscriptOut`) as JSON.

    It is written in parts, because each call of `dumps` keeps the interpreter until it ends.
    """
    parts = (
        orjson.dumps(
            [segment_json(segment, with_words=with_words) for segment in segments[first : first + _AT_ONCE]]
        )[1:-1]
        for first in range(0, len(segments), _AT_ONCE)
    )
    return b'{"format":"json","revision":%d,"segments":[%s]}\n' % (revision, b",".join(parts))


def segment_json(segment: Any, *, with_words: bool) -> dict[str, Any]:
    """Return one segment (`SegmentOut`)."""
    shown = {
        "id": segment.id,
        "speaker": segment.speaker,
        "sentence": segment.text,
        "start_time": segment.start,
        "end_time": segment.end,
        "confidence": segment.confidence,
        "words_per_minute": words_per_minute(segment),
        "overlap": segment.overlap,
    }
    if with_words:
        shown["words"] = [
            {"word": word.text, "start": word.start, "end": word.end, "probability": word.probability}
            | ({"edited": True} if word.edited else {})
            for word in segment.spoken_words()
        ]
    return shown


def edited(done: Edited) -> dict[str, Any]:
    """Return the result of a change (`TranscriptEditedOut`)."""
    return {
        "success": True,
        "revision": done.revision,
        "segments_changed": done.extent.segments_changed,
        "words_added": done.extent.words_added,
        "words_removed": done.extent.words_removed,
    }
