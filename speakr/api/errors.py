"""Failures of the native API: one JSON shape for all of them, also for those that Flask raises by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from flask import Flask, Response, g
from werkzeug.exceptions import HTTPException, InternalServerError

from speakr.domain import errors
from speakr.web.json import json_response
from speakr.web.rate_limits import RateLimited

logger = structlog.get_logger(__name__)

STATUS: Mapping[type[errors.SpeakrError], int] = {
    errors.NotAuthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Invalid: 400,
    errors.Conflict: 409,
    errors.NotModifiedSince: 412,
    errors.TooLarge: 413,
    RateLimited: 429,
    errors.TransientJobError: 503,
    errors.PermanentJobError: 400,
    errors.Unavailable: 503,
    errors.OutOfSpace: 507,
    errors.SpeakrError: 500,
}
"""Looked up along an error's ancestors, nearest first."""

SLUG_STATUS: Mapping[str, int] = {
    "unsupported_media_type": 415,
    "tus_version_unsupported": 412,
    "upload_locked": 423,
    "checksum_mismatch": 460,
}
"""Slugs with a status of their own."""

_HTTP_SLUGS: Mapping[int, str] = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "request_timeout",
    411: "length_required",
    412: "precondition_failed",
    413: "too_large",
    414: "uri_too_long",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
    417: "expectation_failed",
    429: "rate_limited",
    431: "headers_too_large",
    500: "internal_error",
    503: "unavailable",
}

_HTTP_SENTENCES: Mapping[int, str] = {
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
    413: "The body is larger than this address takes.",
    500: "Something went wrong on the server. The request id leads the operator to the cause.",
}

_KEPT_HEADERS = ("Allow", "Retry-After", "WWW-Authenticate", "Content-Range")


def status_of(error: errors.SpeakrError) -> int:
    """Return the HTTP status of a domain error."""
    if error.slug in SLUG_STATUS:
        return SLUG_STATUS[error.slug]
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def render(status: int, code: str, sentence: str, more: Mapping[str, Any] | None = None) -> Response:
    """Build the one error shape; `more` adds to it and changes none of it."""
    shape = {"error": sentence, "code": code, "request_id": g.get("request_id", "")}
    body = {**shape, **(more or {}), **shape}
    return json_response(body, status)


def _on_speakr_error(error: errors.SpeakrError) -> Response:
    more = dict(error.extra)
    if isinstance(error, errors.Invalid) and error.errors:
        more["errors"] = error.errors
    response = render(status_of(error), error.slug, error.message, more)
    if isinstance(error, errors.NotAuthenticated):
        response.headers["WWW-Authenticate"] = 'Bearer realm="speakr"'
    retry_after = getattr(error, "retry_after_seconds", None)
    if retry_after:
        response.headers["Retry-After"] = str(round(retry_after))
    return response


def _on_http_error(error: HTTPException) -> Response:
    if isinstance(error, InternalServerError) and error.original_exception is not None:
        # Flask logs the exception itself; its text never reaches a client.
        logger.error("unhandled_exception", kind=type(error.original_exception).__name__)
    status = error.code or 500
    messages = _field_messages(error)
    if messages:
        sentence = "; ".join(_field_message(name, texts) for name, texts in list(messages.items())[:5])
        response = render(400, "invalid", sentence, {"errors": messages})
    else:
        sentence = _HTTP_SENTENCES.get(status) or error.description or error.name
        response = render(status, _HTTP_SLUGS.get(status, "error"), sentence)
    for name, value in error.get_headers():
        if name in _KEPT_HEADERS:
            response.headers[name] = value
    return response


def _field_message(name: str, texts: Sequence[str]) -> str:
    """Put the field's name before what is wrong with it, unless the documented sentence begins with it."""
    joined = " ".join(texts)
    return joined if joined.startswith(f"{name} ") else f"{name}: {joined}"


def _field_messages(error: HTTPException) -> dict[str, list[str]]:
    """Flatten webargs' {location: {field: messages}} to {field: messages}."""
    by_location = (getattr(error, "data", None) or {}).get("messages")
    if not isinstance(by_location, Mapping):
        return {}
    flat: dict[str, list[str]] = {}
    for by_field in by_location.values():
        _flatten("", by_field, flat)
    return flat


def _flatten(path: str, messages: Any, flat: dict[str, list[str]]) -> None:
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            here = path if name == "_schema" else f"{path}.{name}".lstrip(".")
            _flatten(here, inner, flat)
    else:
        texts = messages if isinstance(messages, list) else [messages]
        flat.setdefault(path or "body", []).extend(str(text) for text in texts)


def init_app(app: Flask) -> None:
    """Answer every failure of the app, routed or not."""
    app.register_error_handler(errors.SpeakrError, _on_speakr_error)
    app.register_error_handler(HTTPException, _on_http_error)
