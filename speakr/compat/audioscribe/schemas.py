"""The keys of a session, and the OpenAPI document of the AudioScribe API."""

from __future__ import annotations

from typing import Any

from flask import Flask

from speakr.domain.flat_recordings import FlatField, Keys

PAGE_SIZE = 20

SESSION_KEYS: Keys = {
    "id": FlatField.ID,
    "title": FlatField.TITLE,
    "note": FlatField.TEXT,
    "originalTranscript": FlatField.RECOGNIZED_TEXT,
    "tags": FlatField.TAGS,
    "createdAt": FlatField.CREATED_AT,
}
"""Key of a session -> what it has of a recording."""

_EXAMPLE = {
    "id": 7,
    "title": "Stand-up",
    "note": "Good morning, everyone.",
    "originalTranscript": "Good morning every one.",
    "tags": "work,weekly",
    "createdAt": "2026-11-30T09:00:00+00:00",
}
_FAILURES = {
    "400": "The query is wrong.",
    "401": "No token, or one that is not valid.",
    "403": "The token lacks the scope `read`.",
    "404": "You have no such session.",
    "429": "Too many requests in this minute; see Retry-After.",
    "500": "Something went wrong on the server.",
    "503": "The server is too busy; see Retry-After.",
}


def document(_: Flask) -> dict[str, Any]:
    """Describe the API (OpenAPI 3)."""
    return {
        "openapi": "3.0.3",
        "info": {"title": "AudioScribe API of Speakr", "version": "1"},
        "servers": [{"url": "/api/v1/audioscribe"}],
        "security": [{"bearer": []}],
        "paths": {
            path: {"get": operation}
            for name in ("sessions", "notes")
            for path, operation in (
                (f"/{name}/", _list(name)),
                (f"/{name}/{{id}}/", _one(name)),
            )
        },
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Session": _session(), "Failure": _failure()},
        },
    }


def _list(name: str) -> dict[str, Any]:
    sessions = {"type": "array", "maxItems": PAGE_SIZE, "items": {"$ref": "#/components/schemas/Session"}}
    page = {"type": "integer", "minimum": 0, "default": 0}
    return {
        "operationId": f"list_{name}",
        "summary": "List your finished recordings, newest first, 20 on a page",
        "x-scope": "read",
        "parameters": [{"name": "page", "in": "query", "schema": page, "description": "Counted from 0."}],
        "responses": _responses("A page; empty after the last one.", sessions, [_EXAMPLE], without="404"),
    }


def _one(name: str) -> dict[str, Any]:
    number = {"type": "integer", "minimum": 1}
    return {
        "operationId": f"get_{name}",
        "summary": "Return one finished recording of yours",
        "x-scope": "read",
        "parameters": [{"name": "id", "in": "path", "required": True, "schema": number}],
        "responses": _responses(
            "The session.", {"$ref": "#/components/schemas/Session"}, _EXAMPLE, without="400"
        ),
    }


def _responses(description: str, schema: dict[str, Any], example: Any, *, without: str) -> dict[str, Any]:
    failure = {
        "schema": {"$ref": "#/components/schemas/Failure"},
        "example": {"detail": "There is nothing at this address."},
    }
    return {
        "200": {
            "description": description,
            "content": {"application/json": {"schema": schema, "example": example}},
        },
        **{
            status: {"description": text, "content": {"application/json": failure}}
            for status, text in _FAILURES.items()
            if status != without
        },
    }


def _session() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "required": list(SESSION_KEYS),
        "additionalProperties": False,
        "properties": {
            "id": {"type": "integer", "description": "The id of the recording."},
            "title": text,
            "note": {**text, "description": "The transcript with all corrections."},
            "originalTranscript": {**text, "description": "The transcript as it was recognised."},
            "tags": {**text, "description": "Names of tags, joined by commas; empty without tags."},
            "createdAt": {**text, "format": "date-time"},
        },
    }


def _failure() -> dict[str, Any]:
    return {"type": "object", "required": ["detail"], "properties": {"detail": {"type": "string"}}}
