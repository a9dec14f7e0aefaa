"""Cross-origin requests (WHATWG Fetch, «CORS protocol»): which web pages may call us, by SPEAKR_CORS_ORIGINS.

Callers prove who they are with a token they send themselves and never with a cookie, so no answer allows
credentials: a page that was let in can do nothing without being given a token.
"""

from __future__ import annotations

from typing import Final

from flask import Flask, Response, current_app, request

from speakr.settings import Settings

_KEY = "speakr_cors_origins"
_ANY: Final = "*"

_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS = (
    "Authorization, X-API-Token, API-Token, Content-Type, Idempotency-Key, If-Match, If-None-Match, "
    "X-Request-ID, Last-Event-ID, Range, "
    "Tus-Resumable, Upload-Length, Upload-Metadata, Upload-Offset, Upload-Checksum, X-HTTP-Method-Override"
)
_ANSWER_HEADERS = (
    "ETag, Link, Location, Retry-After, "
    "RateLimit, RateLimit-Policy, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, "
    "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-ID, X-Process-Time-Ms, "
    "Idempotency-Replayed, Content-Disposition, Content-Range, Accept-Ranges, "
    "Tus-Resumable, Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm, "
    "Upload-Offset, Upload-Length, Upload-Metadata, Upload-Expires"
)
_PREFLIGHT_HOLDS_SECONDS = 600


def init_app(app: Flask, settings: Settings) -> None:
    """Note which origins are let in."""
    app.extensions[_KEY] = frozenset(
        origin.strip() for origin in settings.cors_origins.split(",") if origin.strip()
    )


def answer_preflight() -> Response | None:
    """Answer a browser that asks before it asks. Such a request bears no token."""
    if (
        request.method != "OPTIONS"
        or "Access-Control-Request-Method" not in request.headers
        or _allowed_origin() is None
    ):
        return None
    response = current_app.response_class(status=204)
    response.headers["Access-Control-Allow-Methods"] = _METHODS
    response.headers["Access-Control-Allow-Headers"] = _REQUEST_HEADERS
    response.headers["Access-Control-Max-Age"] = str(_PREFLIGHT_HOLDS_SECONDS)
    return response


def add_headers(response: Response) -> None:
    """Let an allowed page read the answer, whatever it is; failures are for reading too."""
    origins: frozenset[str] = current_app.extensions[_KEY]
    if not origins:
        return
    if _ANY not in origins:
        response.vary.add("Origin")  # also for those who are not let in: a cache must not mix the two up
    origin = _allowed_origin()
    if origin is not None:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = _ANSWER_HEADERS


def _allowed_origin() -> str | None:
    """Return what to allow the asking page, if it is allowed anything."""
    origins: frozenset[str] = current_app.extensions[_KEY]
    origin = request.headers.get("Origin")
    if origin is None:
        return None
    if _ANY in origins:
        return _ANY
    return origin if origin in origins else None
