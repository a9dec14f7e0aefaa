"""The objects of OpenAI's audio API, and its OpenAPI document."""

from __future__ import annotations

import math
import string
import zlib
from collections.abc import Sequence
from typing import Any

from flask import Flask

from speakr import __version__
from speakr.domain.clips import ClipResult, ClipSegment
from speakr.domain.languages import english_name

_SEEK_PER_SECOND = 100
"""Frames of OpenAI's Whisper, in which `seek` counts."""


def usage(result: ClipResult) -> dict[str, Any]:
    """Return what the transcription costs: seconds, rounded up."""
    return {"type": "duration", "seconds": math.ceil(result.duration_seconds)}


def verbose(result: ClipResult, task: str, has_words: bool, has_segments: bool) -> dict[str, Any]:  # noqa: FBT001 - two fields of the answer
    """Return `verbose_json`: segments and, if asked for, words."""
    language = "en" if task == "translate" else result.language
    body: dict[str, Any] = {
        "task": task,
        "language": english_name(language or "und"),
        "duration": result.duration_seconds,
        "text": result.text,
        "usage": usage(result),
    }
    if has_segments:
        body["segments"] = [_segment(at, segment) for at, segment in enumerate(result.segments)]
    if has_words:
        body["words"] = [
            {"word": word.text.strip(), "start": word.start, "end": word.end}
            for segment in result.segments
            for word in segment.words
        ]
    return body


def _segment(at: int, segment: ClipSegment) -> dict[str, Any]:
    text = segment.text.encode()
    return {
        "id": at,
        "seek": round(segment.start * _SEEK_PER_SECOND),
        "start": segment.start,
        "end": segment.end,
        "text": f" {segment.text.strip()}",
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": _log(segment.confidence),
        "compression_ratio": round(len(text) / len(zlib.compress(text)), 3),
        "no_speech_prob": 0.0,
    }


def _log(confidence: float | None) -> float:
    return 0.0 if confidence is None else round(math.log(max(confidence, 1e-6)), 4)


def diarized(result: ClipResult, task: str) -> dict[str, Any]:
    """Return `diarized_json`: segments with their speakers."""
    return {
        "task": task,
        "duration": result.duration_seconds,
        "text": result.text,
        "segments": speaker_segments(result),
        "usage": usage(result),
    }


def speaker_segments(result: ClipResult) -> list[dict[str, Any]]:
    """Return the segments with speakers `A`, `B` ... or their known names."""
    names = _letters(result.speakers)
    return [
        {
            "type": "transcript.text.segment",
            "id": f"seg_{at}",
            "start": segment.start,
            "end": segment.end,
            "text": segment.text.strip(),
            "speaker": names.get(segment.speaker, segment.speaker),
        }
        for at, segment in enumerate(result.segments)
    ]


def _letters(speakers: Sequence[str]) -> dict[str, str]:
    """Return a letter for each speaker without a name, in order of appearance; none that is a name."""
    free = (letter for letter in _names_of_speakers() if letter not in speakers)
    return {label: next(free) for label in speakers if label.startswith("SPEAKER_")}


def _names_of_speakers() -> Sequence[str]:
    letters = string.ascii_uppercase
    return [*letters, *(one + other for one in letters for other in letters)]


def document(_app: Flask) -> dict[str, Any]:
    """Return the OpenAPI document."""
    transcription = _operation(
        "createTranscription",
        "Transcribe a file; nothing is kept",
        {"application/json": {"text": "Good morning.", "usage": {"type": "duration", "seconds": 2}}},
    )
    translation = _operation(
        "createTranslation",
        "Write what is said in a file in English, if the engine can",
        {"application/json": {"text": "Good morning.", "usage": {"type": "duration", "seconds": 2}}},
    )
    for operation in (transcription, translation):
        operation["requestBody"] = {
            "required": True,
            "content": {"multipart/form-data": {"schema": _FORM, "example": {"model": "whisper-1"}}},
        }
    model = {"id": "whisper-1", "object": "model", "created": 0, "owned_by": "speakr"}
    models = _operation(
        "listModels", "List the models", {"application/json": {"object": "list", "data": [model]}}
    )
    one = _operation("retrieveModel", "Return a model", {"application/json": model})
    one["parameters"] = [{"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}]
    return {
        "openapi": "3.0.3",
        "info": {"title": "OpenAI audio API of Speakr", "version": __version__},
        "servers": [{"url": "/v1"}],
        "security": [{"bearer": []}],
        "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
        "paths": {
            "/audio/transcriptions": {"post": transcription},
            "/audio/translations": {"post": translation},
            "/models": {"get": models},
            "/models/{model}": {"get": one},
        },
    }


_TEXT: dict[str, Any] = {"type": "string"}
_TEXTS: dict[str, Any] = {"type": "array", "items": _TEXT}
_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["file", "model"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "model": _TEXT,
        "language": _TEXT,
        "prompt": _TEXT,
        "response_format": {
            "type": "string",
            "enum": ["json", "text", "srt", "vtt", "verbose_json", "diarized_json"],
        },
        "temperature": {"type": "number", "minimum": 0, "maximum": 1},
        "timestamp_granularities[]": {
            "type": "array",
            "items": {"type": "string", "enum": ["word", "segment"]},
        },
        "stream": {"type": "boolean"},
        "known_speaker_names[]": _TEXTS,
        "known_speaker_references[]": _TEXTS,
        "keywords[]": _TEXTS,
    },
}
_ERROR: dict[str, Any] = {
    "error": {
        "message": "model is required",
        "type": "invalid_request_error",
        "param": "model",
        "code": "invalid_value",
    }
}


def _operation(name: str, summary: str, examples: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "responses": {
            "200": {
                "description": "Done",
                "content": {
                    media: {"schema": {"type": "object"}, "example": example}
                    for media, example in examples.items()
                },
            },
            "default": {
                "description": "A failure",
                "content": {"application/json": {"schema": {"type": "object"}, "example": _ERROR}},
            },
        },
    }
