"""Conditional requests (RFC 9110, section 13): answers are tagged by their bytes, and not sent twice."""

from __future__ import annotations

import hashlib

from flask import Response, after_this_request, g, request

from speakr.domain.errors import NotModifiedSince

_OK = 200
_NOT_MODIFIED = 304
_CACHING = "private, no-cache"
"""A browser may keep the answer for its user and must ask before it uses it."""


def tag_of(body: bytes) -> str:
    """Return the entity tag of a body, without quotes. It is a strong one: equal tags mean equal bytes."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def finish(response: Response) -> None:
    """Tag an answer to somebody known, and leave its body out if the caller has it already.

    Streams and files are left alone: files are tagged by what is known of them without reading them.
    """
    if "actor" not in g:
        return
    response.headers.setdefault("Cache-Control", _CACHING)
    if (
        request.method not in {"GET", "HEAD"}
        or response.status_code != _OK
        or response.is_streamed
        or response.direct_passthrough
    ):
        return
    tag, is_weak = response.get_etag()
    if tag is None:
        tag = tag_of(response.get_data())
        response.set_etag(tag)
    if not is_weak and request.if_none_match.contains_weak(tag):
        response.status_code = _NOT_MODIFIED
        response.set_data(b"")
        del response.headers["Content-Type"]
        del response.headers["Content-Length"]


def brings_condition() -> bool:
    """Tell whether the caller wants a write to happen only to the version it names."""
    return "If-Match" in request.headers


def require_match(current: Response) -> None:
    """Refuse a write when `If-Match` names another version than the one `current` shows.

    Raises:
        NotModifiedSince: it does; a weak tag never matches here (RFC 9110, section 13.1.1).

    """
    wanted = request.if_match
    tag = tag_of(current.get_data())
    if not wanted.star_tag and not wanted.is_strong(tag):
        tell_tag(tag)
        raise NotModifiedSince("Somebody has changed this since you read it: read it again and merge.")


def tell_tag(tag: str) -> None:
    """Send the current entity tag with whatever is answered to this request."""

    @after_this_request
    def add_tag(response: Response) -> Response:
        response.set_etag(tag)
        return response
