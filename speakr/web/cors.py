"""Cross-origin requests (WHATWG Fetch, «CORS protocol»): which web pages may call an API family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flask import Response, current_app, request

from speakr.settings import Settings

_ANY: Final = "*"
_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS = (
    "Authorization, X-API-Token, API-Token, Content-Type, Idempotency-Key, If-Match, If-None-Match, "
    "X-Request-ID, Last-Event-ID, Range, "
    "Tus-Resumable, Upload-Length, Upload-Metadata, Upload-Offset, Upload-Checksum, X-HTTP-Method-Override"
)
_ANSWER_HEADERS = (
    "ETag, Link, Location, Retry-After, X-Total-Count, "
    "RateLimit, RateLimit-Policy, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, "
    "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-ID, X-Process-Time-Ms, "
    "Idempotency-Replayed, Content-Disposition, Content-Range, Accept-Ranges, "
    "Tus-Resumable, Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm, "
    "Upload-Offset, Upload-Length, Upload-Metadata, Upload-Expires"
)
_PREFLIGHT_HOLDS_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class CorsPolicy:
    """Which web pages may call an API family from browsers, and how."""

    allows_any_origin: bool = False
    """Any page may call; otherwise those in SPEAKR_CORS_ORIGINS."""
    allows_credentials: bool = False
    """Browsers may send cookies. A server setting of `*` does not extend to them."""
    further_origins: tuple[str, ...] = ()
    """Pages that may call in addition to those in SPEAKR_CORS_ORIGINS."""
    request_headers: str = _REQUEST_HEADERS
    """Headers that pages may send, comma-separated."""
    exposed_headers: str = _ANSWER_HEADERS
    """Headers of responses that pages may read, comma-separated."""

    def __post_init__(self) -> None:
        """Refuse the combination that would let any page act as the user who is logged in."""
        if self.allows_any_origin and self.allows_credentials:
            raise ValueError("a CORS policy cannot allow credentials to any origin")


def origins_of(policy: CorsPolicy, settings: Settings) -> frozenset[str]:
    """Return the origins that a policy allows on this server; `*` is any."""
    if policy.allows_any_origin:
        return frozenset({_ANY})
    listed = (origin.strip() for origin in settings.cors_origins.split(","))
    return frozenset(policy.further_origins).union(origin for origin in listed if origin)


def answer_preflight(policy: CorsPolicy, origins: frozenset[str]) -> Response | None:
    """Answer a browser's preflight request, which has no credential; return None for other requests."""
    if (
        request.method != "OPTIONS"
        or "Access-Control-Request-Method" not in request.headers
        or _allowed_origin(origins) is None
    ):
        return None
    response = current_app.response_class(status=204)
    response.headers["Access-Control-Allow-Methods"] = _METHODS
    response.headers["Access-Control-Allow-Headers"] = policy.request_headers
    response.headers["Access-Control-Max-Age"] = str(_PREFLIGHT_HOLDS_SECONDS)
    return response


def add_headers(response: Response, policy: CorsPolicy, origins: frozenset[str]) -> None:
    """Allow a page of an allowed origin to read the response, also if it is a failure."""
    if not origins:
        return
    if origins != {_ANY}:
        response.vary.add("Origin")  # also for other pages: a cache must not mix up their responses
    origin = _allowed_origin(origins)
    if origin is None:
        return
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Expose-Headers"] = policy.exposed_headers
    if policy.allows_credentials and origin != _ANY:
        response.headers["Access-Control-Allow-Credentials"] = "true"


def _allowed_origin(origins: frozenset[str]) -> str | None:
    """Return the value of `Access-Control-Allow-Origin` for this request, or None."""
    origin = request.headers.get("Origin")
    if origin is None:
        return None
    if origin in origins:  # also beside `*`, which allows no cookies
        return origin
    return _ANY if _ANY in origins else None
