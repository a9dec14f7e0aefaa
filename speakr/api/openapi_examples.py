"""Examples of requests and responses: one for every JSON or form body, assembled from the examples of its fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_MADE_FROM = ("application/json", "multipart/form-data")
_MAX_NAME_LENGTH = 40

_BY_NAME: Mapping[str, Any] = {
    "audio_duration": 1834.5,
    "body": "{{start_time}} {{speaker}}: {{text}}",
    "color": "#10B981",
    "company": "Example Ltd",
    "content": "Jane Smith: Good morning.",
    "confidence": 0.93,
    "custom_prompt": "Be brief.",
    "default_language": "en",
    "description": "What it is about",
    "email": "jane@example.com",
    "end": 4.2,
    "end_time": 4.2,
    "error": "Recording not found",
    "error_code": None,
    "error_message": None,
    "event": "status",
    "event_id": "0b6c1f3e-9a53-4a8e-8f0e-5d1a0d6f2c11",
    "existing_title": "Weekly planning",
    "file_size": 1843200,
    "filename": "meeting.wav",
    "hotwords": "Speakr, Khan",
    "initial_prompt": "A talk about budgets.",
    "job_id": "4711",
    "job_title": "Editor",
    "keep_audio_only": "true",
    "label": "SPEAKER_00",
    "language": "en",
    "limit": 50,
    "meeting_date_source": "embedded",
    "message": "Done",
    "mime_type": "audio/wav",
    "name": "Jane Smith",
    "notes": "Ask about the budget.",
    "original_filename": "meeting.wav",
    "output_language": "en",
    "page": 1,
    "participants": "Jane Smith, Ali Khan",
    "payload": '{"type": "recording.created"}',
    "per_page": 25,
    "prefix": "spk_1a2b",
    "prompt_variables": '{"project": "Apollo"}',
    "probability": 0.93,
    "progress": 100,
    "quote": "Good morning.",
    "request_id": "4f9d0c6f1d6e4f7f9a55f6f1b1a3c2de",
    "response": "They agreed on the budget [1].",
    "secret": "whsec_bm90IGEgcmVhbCBzZWNyZXQ",
    "sentence": "Good morning.",
    "similarity": 87.5,
    "snippet": "the <mark>budget</mark> is agreed",
    "speaker": "Jane Smith",
    "start": 1.5,
    "start_time": 1.5,
    "status": "COMPLETED",
    "summary": "They agreed on the budget.",
    "tag": "Interviews",
    "tags": "Interviews",
    "title": "Weekly planning",
    "token": "a-token-that-is-shown-this-once",
    "transcription": "Jane Smith: Good morning.",
    "transcription_model": "whisper-1",
    "transcription_language": "en",
    "ui_language": "en",
    "url": "https://hooks.example.com/speakr",
    "username": "jane",
    "word": "morning",
}
"""Name of a field -> its example, if it has none of its own and its schema accepts this one."""

_BY_FORMAT: Mapping[str, str] = {
    "binary": "(the bytes of the file)",
    "date": "2024-01-15",
    "date-time": "2024-01-15T09:00:00Z",
    "uri": "https://example.com/",
}


_CODES: Mapping[str, str] = {
    "400": "invalid",
    "401": "not_authenticated",
    "403": "scope_missing",
    "404": "not_found",
    "409": "conflict",
    "412": "precondition_failed",
    "413": "too_large",
    "415": "unsupported_media_type",
    "416": "range_not_satisfiable",
    "423": "upload_locked",
    "429": "rate_limited",
    "500": "internal_error",
    "503": "unavailable",
    "460": "checksum_mismatch",
    "507": "out_of_space",
}
"""Status of a failure -> a common code of it."""

_FAILURE = "#/components/schemas/ErrorOut"


def add(spec: dict[str, Any]) -> None:
    """Add an example to every schema of a body that has none."""
    shapes = spec["components"]["schemas"]
    for status, text, content in _contents(spec):
        for kind, medium in content.items():
            if kind not in _MADE_FROM or "schema" not in medium or "example" in medium:
                continue
            medium["example"] = (
                _failure(status, text)
                if medium["schema"].get("$ref") == _FAILURE
                else _example("", medium["schema"], shapes)
            )


def _contents(spec: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for item in spec["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict) and "responses" in operation:
                yield "", "", operation.get("requestBody", {}).get("content", {})
                for status, response in operation["responses"].items():
                    yield status, response["description"], response.get("content", {})


def _failure(status: str, text: str) -> dict[str, Any]:
    shown = {"error": text, "code": _CODES.get(status, "error"), "request_id": _BY_NAME["request_id"]}
    if status == "400":
        shown |= {
            "error": "title: Longer than maximum length 200.",
            "errors": {"title": ["Longer than maximum length 200."]},
        }
    return shown


def _example(name: str, schema: dict[str, Any], shapes: Mapping[str, Any]) -> Any:
    schema = _resolved(schema, shapes)
    if "example" in schema:
        return schema["example"]
    if "enum" in schema:
        return _BY_NAME[name] if _BY_NAME.get(name) in schema["enum"] else schema["enum"][0]
    if schema.get("type") == "array":
        return [_example(name.removesuffix("s"), schema["items"], shapes)]
    if schema.get("type") == "object":
        return _object(schema, shapes)
    return _plain(name, schema.get("type"), schema)


def _resolved(schema: dict[str, Any], shapes: Mapping[str, Any]) -> dict[str, Any]:
    """Follow references, also those wrapped to allow null."""
    for several in ("allOf", "oneOf", "anyOf"):
        for inner in schema.get(several, ()):
            if "$ref" in inner:
                return _resolved(inner, shapes)
    return _resolved(shapes[schema["$ref"].rpartition("/")[2]], shapes) if "$ref" in schema else schema


def _object(schema: dict[str, Any], shapes: Mapping[str, Any]) -> dict[str, Any]:
    fields = {name: _example(name, inner, shapes) for name, inner in schema.get("properties", {}).items()}
    more = schema.get("additionalProperties")
    if not fields and isinstance(more, dict):
        return {"title": _example("title", more, shapes)}
    return fields


def _plain(name: str, kind: str | None, schema: dict[str, Any]) -> Any:
    named = _BY_NAME.get(name)
    if name in _BY_NAME and _fits(named, kind, is_nullable=schema.get("nullable", False)):
        return named
    match kind:
        case "boolean":
            return schema.get("default", True)
        case "integer" | "number":
            return schema.get("default", max(1, schema.get("minimum", 1)))
        case "string":
            text = _BY_FORMAT.get(
                schema.get("format", ""), name.replace("_", " ")[:_MAX_NAME_LENGTH] or "text"
            )
            return None if schema.get("nullable") and "pattern" in schema else text
        case _:
            return None


def _fits(value: Any, kind: str | None, *, is_nullable: bool) -> bool:
    if value is None:
        return is_nullable
    kinds = {"string": str, "integer": int, "number": float | int, "array": list}
    return kind in kinds and isinstance(value, kinds[kind])
