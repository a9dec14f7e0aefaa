"""Timeouts of request bodies.

They prevent two problems. Without them, a client that lost its network would keep its connection, and an upload its
half file, for good. And gunicorn reads an unread body, that of a refused upload for example, a kilobyte at a time
before the next request and never yields to other greenlets: one client that goes on sending would block the whole
process.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]  # gunicorn has no types
from werkzeug.wsgi import ClosingIterator

from speakr.web.body import BLOCK_BYTES, PAUSE_EVERY_BYTES, PAUSE_SECONDS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MAX_SILENT_SECONDS = 60.0
"""Seconds without any byte after which reading a body fails."""

LINGER_SECONDS = 10.0
LINGER_SILENT_SECONDS = 2.0
"""Seconds without any byte after which reading the rest of an unread body ends.

Closing the connection at once would be simpler, but then the client's system may discard the response unseen
(RFC 9112, section 9.6).
"""


class BodyReadTimeout:
    """WSGI middleware that times out silent clients and reads the rest of unread bodies, within bounds."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve a request."""
        if environ.get("CONTENT_LENGTH") in {None, "", "0"} and "HTTP_TRANSFER_ENCODING" not in environ:
            return self._app(environ, start_response)
        connection: socket.socket | None = environ.get("gunicorn.socket")
        _wait_at_most(connection, MAX_SILENT_SECONDS)
        try:
            answer = self._app(environ, start_response)
        finally:
            # A client may read the response as slowly as it likes.
            _wait_at_most(connection, None)
        return ClosingIterator(answer, [lambda: _read_rest(environ, connection)])


def _wait_at_most(connection: socket.socket | None, seconds: float | None) -> None:
    """Set the timeout of one read; None means no timeout. Only gunicorn provides its socket."""
    if connection is not None:
        connection.settimeout(seconds)


def _read_rest(environ: WSGIEnvironment, connection: socket.socket | None) -> None:
    """Read the rest of the body after the response is sent; close the connection if it is too long."""
    body = environ["wsgi.input"]
    if connection is None or body.failed:  # gunicorn closes the connection after a read that failed
        return
    deadline = time.monotonic() + LINGER_SECONDS
    since_pause = 0
    _wait_at_most(connection, LINGER_SILENT_SECONDS)
    try:
        while time.monotonic() < deadline:
            block = body.read(BLOCK_BYTES)
            if not block:
                _wait_at_most(connection, None)
                return
            since_pause += len(block)
            if since_pause >= PAUSE_EVERY_BYTES:
                since_pause = 0
                time.sleep(PAUSE_SECONDS)
    except (OSError, ParseException):
        return
    body.failed = True  # gunicorn's flag for a connection on which no further request can be found
