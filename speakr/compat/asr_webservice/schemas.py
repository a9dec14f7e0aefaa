"""What the Whisper ASR webservice answers: JSON, lines, and a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from speakr.domain.clips import ClipResult, ClipSegment
from speakr.domain.languages import english_name


def body(result: ClipResult, *, has_words: bool) -> dict[str, Any]:
    """Return the text, its segments and its language; words only when asked for."""
    segments = [_segment(at, each, result, has_words=has_words) for at, each in enumerate(result.segments)]
    return {"text": result.text, "segments": segments, "language": result.language}


def language(result: ClipResult) -> dict[str, Any]:
    """Return the detected language, with a confidence from 0 to 1."""
    code, confidence = result.language or "und", result.language_probability
    return {
        "detected_language": english_name(code),
        "language_code": code,
        "confidence": 1.0 if confidence is None else confidence,
    }


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


def _lines(result: ClipResult) -> str:
    return "".join(f"{segment.text.strip()}\n" for segment in result.segments)


def _table(result: ClipResult) -> str:
    """Write start and end in milliseconds and the text, separated by tabs; text holds no tab or line break."""
    rows = [f"{_ms(each.start)}\t{_ms(each.end)}\t{' '.join(each.text.split())}" for each in result.segments]
    return "".join(f"{row}\n" for row in ["start\tend\ttext", *rows])


def _ms(seconds: float) -> int:
    return round(1000 * seconds)


WRITERS: Final[Mapping[str, Callable[[ClipResult], str]]] = {"txt": _lines, "tsv": _table}
"""Outputs that are not among Speakr's exports."""
