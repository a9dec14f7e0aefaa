"""The OpenAPI document of the Whisper ASR webservice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from flask import Flask

from speakr import __version__
from speakr.compat.asr_webservice.schemas_query import OUTPUTS, TASKS

_TRANSCRIPT: Final[dict[str, Any]] = {
    "text": "Good morning.",
    "segments": [{"id": 0, "start": 0.4, "end": 1.3, "text": " Good morning."}],
    "language": "en",
}
_LANGUAGE: Final[dict[str, Any]] = {
    "detected_language": "english",
    "language_code": "en",
    "confidence": 0.98,
}
_SENTENCE: Final[dict[str, Any]] = {"detail": "All workers are busy. Try again later."}
_PROBLEMS: Final[dict[str, Any]] = {
    "detail": [{"type": "value_error", "loc": ["body", "audio_file"], "msg": "Field required"}]
}
_FILE: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["audio_file"],
    "properties": {"audio_file": {"type": "string", "format": "binary"}},
}


def document(_app: Flask) -> dict[str, Any]:
    """Return the OpenAPI document."""
    encode = _parameter("encode", "boolean", "Accepted without effect")
    transcribe = _operation(
        "asr",
        "Transcribe a file; nothing is kept",
        {"text/plain": "Good morning.\n", "application/json": _TRANSCRIPT},
        [
            encode,
            _parameter("task", "string", "Translate writes English", TASKS),
            _parameter("language", "string", "Code or English name; detected if absent"),
            _parameter("initial_prompt", "string", "Text that comes before, for the style"),
            _parameter("hotwords", "string", "Words that are likely to occur"),
            _parameter("word_timestamps", "boolean", "Adds words to the JSON output"),
            _parameter("diarize", "boolean", "Names speakers"),
            _parameter("output", "string", "Format of the answer", OUTPUTS),
        ],
    )
    detect = _operation(
        "detectLanguage",
        "Return the language that is spoken in a file",
        {"application/json": _LANGUAGE},
        [encode],
    )
    return {
        "openapi": "3.0.3",
        "info": {"title": "Whisper ASR webservice API of Speakr", "version": __version__},
        "servers": [{"url": "/asr-webservice"}],
        "security": [{"bearer": []}, {}],
        "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
        "paths": {"/asr": {"post": transcribe}, "/detect-language": {"post": detect}},
    }


def _parameter(name: str, kind: str, description: str, values: Sequence[str] = ()) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": kind}
    if values:
        schema |= {"enum": [*values], "default": values[0]}
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _operation(
    name: str, summary: str, examples: dict[str, Any], parameters: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "parameters": parameters,
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FILE}}},
        "responses": {
            "200": _answer("Done", examples),
            "422": _answer("A field is wrong", {"application/json": _PROBLEMS}),
            "default": _answer("Another failure", {"application/json": _SENTENCE}),
        },
    }


def _answer(description: str, examples: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": description,
        "content": {
            media: {
                "schema": {"type": "string" if isinstance(example, str) else "object"},
                "example": example,
            }
            for media, example in examples.items()
        },
    }
