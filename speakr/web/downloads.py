"""Send blobs over HTTP: ranges, conditional requests and safe file names, with constant memory (RFC 9110)."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Iterator
from typing import BinaryIO
from urllib.parse import quote

from flask import Request, Response
from werkzeug.http import is_resource_modified, parse_if_range_header, parse_range_header

from speakr.backends import get_backends
from speakr.domain.errors import NotFound, NotModifiedSince
from speakr.storage.base import CHUNK_BYTES, BlobInfo, BlobMissing, Storage
from speakr.web.body import PAUSE_EVERY_BYTES, PAUSE_SECONDS
from speakr.web.names import clean_filename, clean_mime_type

DEFAULT_MIME_TYPE = "application/octet-stream"
INLINE_TYPES = ("audio/", "video/")
"""Types that a browser may play in place. Other uploads (HTML, SVG) could run scripts as a page of this server."""

ATTR_CHAR = "!#$&+-.^_`|~"
"""What RFC 5987 allows unescaped besides letters and digits."""


def send_blob(
    request: Request,
    storage: Storage,
    key: str,
    *,
    filename: str,
    mime_type: str,
    etag: str,
    as_attachment: bool = False,
    missing_message: str = "File not found",
) -> Response:
    """Answer a GET or HEAD with a blob, or with the one range of it that the request names.

    `etag` is a strong validator without quotes, such as the SHA-256 of the content. Answers 200, 206 or
    304. Raises `NotFound` (`file_not_found`), `NotModifiedSince` for a stale `If-Match`, and Werkzeug's
    `RequestedRangeNotSatisfiable`, whose `Content-Range` header must reach the client.
    """
    info = storage.stat(key)
    if info is None:
        raise _missing(missing_message)
    _check_if_match(request, etag)
    mime_type = clean_mime_type(mime_type) or DEFAULT_MIME_TYPE
    response = Response(mimetype=mime_type)
    response.headers["Content-Disposition"] = content_disposition(
        filename, as_attachment=as_attachment or not mime_type.startswith(INLINE_TYPES)
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.cache_control.no_cache = True
    response.cache_control.private = True
    response.content_length = info.size_bytes
    response.last_modified = info.modified_at
    response.set_etag(etag)
    _make_conditional(request, response, info, etag)
    if request.method == "GET" and response.status_code in (200, 206):
        try:
            _attach(response, storage.open(key))
        except BlobMissing as error:
            raise _missing(missing_message) from error
    return response


def send_stored(
    request: Request,
    key: str,
    *,
    filename: str,
    mime_type: str,
    etag: str,
    as_attachment: bool = False,
    missing_message: str = "File not found",
) -> Response:
    """Answer as `send_blob` does, with a blob in this server's storage."""
    return send_blob(
        request,
        get_backends().storage,
        key,
        filename=filename,
        mime_type=mime_type,
        etag=etag,
        as_attachment=as_attachment,
        missing_message=missing_message,
    )


def content_disposition(filename: str, *, as_attachment: bool) -> str:
    """Return the header for a file name in any language, with an ASCII form for old clients (RFC 6266)."""
    name = clean_filename(filename)
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    fallback = "".join("_" if char in '"\\%;' else char for char in ascii_name).strip()
    if not fallback.rpartition(".")[0]:
        fallback = f"download{fallback}" if fallback.startswith(".") else fallback or "download"
    value = f'{"attachment" if as_attachment else "inline"}; filename="{fallback}"'
    if fallback != name:
        value += f"; filename*=UTF-8''{quote(name, safe=ATTR_CHAR)}"
    return value


class _Body:
    """The bytes of a response, read piece by piece; the server closes it when the client is done or gone."""

    def __init__(self, blob: BinaryIO, length: int) -> None:
        self._blob = blob
        self._remaining = length

    def __iter__(self) -> Iterator[bytes]:
        since_pause = 0
        while self._remaining > 0:
            data = self._blob.read(min(CHUNK_BYTES, self._remaining))
            if not data:
                return
            self._remaining -= len(data)
            yield data
            since_pause += len(data)
            if since_pause >= PAUSE_EVERY_BYTES:  # with a fast client no write waits either
                since_pause = 0
                time.sleep(PAUSE_SECONDS)

    def close(self) -> None:
        self._blob.close()


def _attach(response: Response, blob: BinaryIO) -> None:
    """Make the blob, from the start of the range on, the body of the response."""
    try:
        if response.status_code == 206:  # noqa: PLR2004 - Partial Content
            blob.seek(response.content_range.start or 0)
    except BaseException:
        blob.close()
        raise
    response.response = _Body(blob, response.content_length or 0)
    response.direct_passthrough = True


def _check_if_match(request: Request, etag: str) -> None:
    wanted = request.if_match
    if wanted and not wanted.star_tag and not wanted.is_strong(etag):
        raise NotModifiedSince("The file has changed since.")


def _make_conditional(request: Request, response: Response, info: BlobInfo, etag: str) -> None:
    """Let Werkzeug choose between 200, 206, 304 and 416, after removing what RFC 9110 says to ignore."""
    environ = dict(request.environ)
    environ.pop("HTTP_IF_MATCH", None)  # checked already
    environ.pop("HTTP_IF_RANGE", None)  # checked here: Werkzeug accepts a weak tag and any later date
    asked = environ.pop("HTTP_RANGE", "")
    is_fresh = not is_resource_modified(environ, f'"{etag}"', last_modified=info.modified_at)
    if not is_fresh and _applies_range(
        request, info, etag
    ):  # a copy that the client has takes precedence over any range
        environ["HTTP_RANGE"] = _within(asked, info.size_bytes)
    response.make_conditional(environ, accept_ranges=True, complete_length=info.size_bytes)


def _applies_range(request: Request, info: BlobInfo, etag: str) -> bool:
    """Return whether `Range` applies: only to GET, in bytes, one range, and of the current version.

    A malformed range of bytes applies, so that it is refused rather than ignored.
    """
    header = request.headers.get("Range", "")
    if request.method != "GET" or not header.lower().startswith("bytes="):
        return False
    wanted = parse_range_header(header)
    if wanted is not None and len(wanted.ranges) > 1:
        return False
    condition = request.headers.get("If-Range", "")
    if_range = parse_if_range_header(condition)
    if if_range.etag is not None:
        return if_range.etag == etag and not condition.startswith("W/")
    return if_range.date is None or if_range.date == info.modified_at.replace(microsecond=0)


def _within(asked: str, size_bytes: int) -> str:
    """Turn «the last N bytes» of a shorter blob into all of it; Werkzeug would refuse that."""
    wanted = parse_range_header(asked)
    if wanted is not None and wanted.ranges[0][0] < -size_bytes:
        return "bytes=0-"
    return asked


def _missing(message: str) -> NotFound:
    return NotFound(message, code="file_not_found")
