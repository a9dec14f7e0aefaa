"""Conditional requests (RFC 9110, section 13): responses have entity tags, so the same bytes are not sent twice."""

from __future__ import annotations

import hashlib

from flask import Response, after_this_request, g, request

from speakr.domain.errors import NotModifiedSince

_OK = 200
_NOT_MODIFIED = 304
_CACHING = "private, no-cache"
"""A browser may store the response for its user and must revalidate it before use."""


def tag_of(body: bytes) -> str:
    """Return the entity tag of a body, without quotes. It is strong: equal tags mean equal bytes."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def finish(response: Response) -> None:
    """Tag the response to an authenticated caller, and omit its body if the caller has it already.

    Streams and files are skipped: files get tags from their metadata, without reading them.
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
    """Return whether the caller asks to write only to the version it names."""
    return "If-Match" in request.headers


def require_match(current: Response) -> None:
    """Refuse a write when `If-Match` does not name the version that `current` shows.

    Raises:
        NotModifiedSince: it names another one; a weak tag never matches here (RFC 9110, section 13.1.1).

    """
    wanted = request.if_match
    tag = tag_of(current.get_data())
    if not wanted.star_tag and not wanted.is_strong(tag):
        send_tag(tag)
        raise NotModifiedSince("This was changed since you read it: read it again and merge.")


def send_tag(tag: str) -> None:
    """Send the current entity tag with the response to this request."""

    @after_this_request
    def add_tag(response: Response) -> Response:
        response.set_etag(tag)
        return response
