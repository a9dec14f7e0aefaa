"""The JSON output of the Whisper ASR webservice."""

from __future__ import annotations

from typing import Any

from speakr.domain.clips import ClipResult, ClipSegment


def body(result: ClipResult, *, has_words: bool) -> dict[str, Any]:
    """Return the text, its segments and its language; words only when asked for."""
    segments = [_segment(at, each, result, has_words=has_words) for at, each in enumerate(result.segments)]
    return {"text": result.text, "segments": segments, "language": result.language}


def _segment(at: int, segment: ClipSegment, result: ClipResult, *, has_words: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"id": at, "start": segment.start, "end": segment.end, "text": f" {segment.text}"}
    if result.speakers:
        found["speaker"] = segment.speaker
    if has_words:
        found["words"] = [
            {"word": f" {word.text}", "start": word.start, "end": word.end, "probability": word.probability}
            for word in segment.words
        ]
    return found
