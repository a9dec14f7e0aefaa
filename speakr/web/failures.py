"""Failures of requests as values, before an API family renders them in its own format."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from flask import Response
from werkzeug.exceptions import HTTPException, InternalServerError

from speakr.domain import errors

logger = structlog.get_logger(__name__)

STATUS: Mapping[type[errors.SpeakrError], int] = {
    errors.NotAuthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Invalid: 400,
    errors.Conflict: 409,
    errors.NotModifiedSince: 412,
    errors.TooLarge: 413,
    errors.RateLimited: 429,
    errors.TransientJobError: 503,
    errors.PermanentJobError: 400,
    errors.Unavailable: 503,
    errors.OutOfSpace: 507,
    errors.SpeakrError: 500,
}
"""Error class -> HTTP status. The nearest ancestor of an error counts."""

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
    405: "This address does not support that method.",
    413: "The body is larger than this address accepts.",
    500: "Something went wrong on the server. The request id leads the operator to the cause.",
}

MAX_MESSAGES = 20
"""Messages about fields in one answer, however many fields are wrong."""

_KEPT_HEADERS = ("Allow", "Retry-After", "WWW-Authenticate", "Content-Range")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A failure of a request, independent of any API's format. It contains no secrets."""

    status: int
    code: str
    """A stable slug on which clients may branch."""
    message: str
    """A sentence for users."""
    errors: Mapping[str, list[str]] = field(default_factory=dict)
    """What is wrong, per field of the request."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further facts, such as the limit that was exceeded."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers that the response must have in every format: Allow, Retry-After, WWW-Authenticate."""


Renderer = Callable[[Failure], Response]
"""Renders a failure in the format of one API family."""


def status_of(error: errors.SpeakrError) -> int:
    """Return the HTTP status of a domain error."""
    if error.slug in SLUG_STATUS:
        return SLUG_STATUS[error.slug]
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def of_domain_error(error: errors.SpeakrError, challenge: str | None) -> Failure:
    """Describe a domain error; `challenge` is the `WWW-Authenticate` header of a 401."""
    headers: dict[str, str] = {}
    if isinstance(error, errors.NotAuthenticated) and challenge is not None:
        headers["WWW-Authenticate"] = challenge
    retry_after = getattr(error, "retry_after_seconds", None)
    if retry_after:
        headers["Retry-After"] = str(round(retry_after))
    return Failure(
        status=status_of(error),
        code=error.slug,
        message=error.message,
        errors=error.errors if isinstance(error, errors.Invalid | errors.UserExists) else {},
        extra=error.extra,
        headers=headers,
    )


def of_http_error(error: HTTPException) -> Failure:
    """Describe an error raised by Flask, Werkzeug or webargs."""
    if isinstance(error, InternalServerError) and error.original_exception is not None:
        # Flask logs the exception itself; its text never reaches a client.
        logger.error("unhandled_exception", kind=type(error.original_exception).__name__)
    headers = {name: value for name, value in error.get_headers() if name in _KEPT_HEADERS}
    messages = _field_messages(error)
    if messages:
        sentence = "; ".join(_field_message(name, texts) for name, texts in list(messages.items())[:5])
        return Failure(status=400, code="invalid", message=sentence, errors=messages, headers=headers)
    status = error.code or 500
    return Failure(
        status=status,
        code=_HTTP_SLUGS.get(status, "error"),
        message=_HTTP_SENTENCES.get(status) or error.description or error.name,
        headers=headers,
    )


def _field_message(name: str, texts: list[str]) -> str:
    """Put the field's name before its messages, unless the documented sentence begins with it."""
    joined = " ".join(texts)
    return joined if joined.startswith(f"{name} ") else f"{name}: {joined}"


def _field_messages(error: HTTPException) -> dict[str, list[str]]:
    """Flatten webargs' {location: {field: messages}} to {field: messages}."""
    by_location = (getattr(error, "data", None) or {}).get("messages")
    if not isinstance(by_location, Mapping):
        return {}
    flat: dict[str, list[str]] = {}
    for path, text in itertools.islice(_flattened("", list(by_location.values())), MAX_MESSAGES):
        flat.setdefault(path or "body", []).append(text)
    return flat


def _flattened(path: str, messages: Any) -> Iterator[tuple[str, str]]:
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            yield from _flattened(path if name == "_schema" else f"{path}.{name}".lstrip("."), inner)
    elif isinstance(messages, list):
        for each in messages:
            yield from _flattened(path, each)
    else:
        yield path, str(messages)
