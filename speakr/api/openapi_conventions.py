"""The HTTP conventions in the OpenAPI document: which operations support which conditions, keys and limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from speakr.api.idempotent import HEADER, REPLAYED

_JSON = "application/json"

PARAMETERS: dict[str, dict[str, Any]] = {
    "IdempotencyKey": {
        "name": HEADER,
        "in": "header",
        "description": "A request that repeats the key within a day gets the first response and has no further effect.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "Entity tags that the caller has; 304 if one of them is current.",
        "schema": {"type": "string"},
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": "The `ETag` of GET at this address; 412 and no change if it is no longer current.",
        "schema": {"type": "string"},
    },
}

HEADERS: dict[str, dict[str, Any]] = {
    "ETag": {"description": "The version of this response.", "schema": {"type": "string"}},
    "RetryAfter": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
    "RateLimit": {
        "description": "What is left: the rate class, requests (r) and seconds (t).",
        "schema": {"type": "string", "example": '"get";r=99;t=60'},
    },
    "RateLimitPolicy": {
        "description": "The rate class, its requests (q) and seconds (w).",
        "schema": {"type": "string", "example": '"get";q=100;w=60'},
    },
    "IdempotencyReplayed": {
        "description": "`true`: this is the stored response to an earlier request.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}


def add_components(spec: dict[str, Any]) -> None:
    """Add the components that operations refer to."""
    components = spec.setdefault("components", {})
    components.setdefault("parameters", {}).update(PARAMETERS)
    components.setdefault("headers", {}).update(HEADERS)


def complete(operation: dict[str, Any], method: str, handler: Callable[..., Any]) -> None:
    """Add the headers and responses of an operation that are not its own arguments."""
    responses = operation["responses"]
    successes = [response for status, response in responses.items() if status.startswith("2")]
    too_many = responses["429"].setdefault("headers", {})
    too_many |= _headers(
        **{"Retry-After": "RetryAfter", "RateLimit": "RateLimit", "RateLimit-Policy": "RateLimitPolicy"}
    )
    if method == "get" and any(_JSON in response.get("content", {}) for response in successes):
        _take(operation, "IfNoneMatch")
        responses.setdefault("304", {"description": "The caller has this version already."})
        for response in successes:
            response.setdefault("headers", {}).update(_headers(ETag="ETag"))
    if getattr(handler, "takes_if_match", False):
        _take(operation, "IfMatch")
        responses["412"] = _failure("`If-Match` names another version than the current one.")
    if getattr(handler, "takes_idempotency_key", False):
        _take(operation, "IdempotencyKey")
        for response in successes:
            response.setdefault("headers", {}).update(_headers(**{REPLAYED: "IdempotencyReplayed"}))


def _take(operation: dict[str, Any], parameter: str) -> None:
    operation.setdefault("parameters", []).append({"$ref": f"#/components/parameters/{parameter}"})


def _headers(**names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{header}"} for name, header in names.items()}


def _failure(text: str) -> dict[str, Any]:
    return {
        "description": text,
        "content": {_JSON: {"schema": {"$ref": "#/components/schemas/ErrorOut"}}},
    }
