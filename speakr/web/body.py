"""Read the body of a request in blocks, with constant memory and without blocking other greenlets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import IO, Any

from flask import Request, current_app, request
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]  # gunicorn has no types
from werkzeug.exceptions import ClientDisconnected

from speakr.domain.errors import Invalid
from speakr.web.bounds import MIN_BODY_BYTES

BLOCK_BYTES = 256 * 1024
"""With gunicorn, larger reads are cheaper: half the time of reads of 64 KiB."""
PAUSE_EVERY_BYTES = 2 * 1024 * 1024
PAUSE_SECONDS = 0.0001
"""Seconds to sleep between reads.

With a fast sender no read waits, so no other greenlet would run. A pause of zero is not enough: gevent polls its
sockets only after fifty of those.
"""


def blocks_of(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the body in blocks until it ends."""
    since_pause = 0
    while True:
        try:
            block = stream.read(BLOCK_BYTES)
        except (
            ClientDisconnected,
            OSError,
            ParseException,
        ) as error:  # gunicorn raises ParseException for invalid chunks
            raise incomplete() from error
        if not block:
            return
        yield block
        since_pause += len(block)
        if since_pause >= PAUSE_EVERY_BYTES:
            since_pause = 0
            time.sleep(PAUSE_SECONDS)


def set_body_limit(view: Any, max_bytes: int) -> None:
    """Let the requests of a view have bodies of up to `max_bytes`. Outer decorators keep it (`functools.wraps`)."""
    view.max_body_bytes = max_bytes


def limit_body() -> None:
    """Bound the body of the current request by the limit of its view, before anything reads it.

    Views that read their body as a stream set `request.max_content_length` themselves.
    """
    request.max_content_length = getattr(_view(), "max_body_bytes", MIN_BODY_BYTES)


def _view() -> Any:
    view = current_app.view_functions.get(request.endpoint or "")
    view_class = getattr(view, "view_class", None)
    return view if view_class is None else getattr(view_class, request.method.lower(), None)


def whole_body(incoming: Request, max_bytes: int) -> Iterator[bytes]:
    """Yield the blocks of a body that may be as large as `max_bytes`; raises `Invalid` when it ends too soon."""
    incoming.max_content_length = max_bytes + BLOCK_BYTES  # the upload's own bound is met first
    received_bytes = 0
    for block in blocks_of(incoming.stream):
        received_bytes += len(block)
        yield block
    if received_bytes < (incoming.content_length or 0):
        raise incomplete()


def incomplete() -> Invalid:
    """Return the refusal of a body that ended before its declared end."""
    return Invalid("The upload stopped before it was complete.", code="incomplete_upload")
