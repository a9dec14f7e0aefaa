"""How long a client is waited for that has begun to send a body.

Two things go wrong without it. A client that lost its network is never heard of again, and would keep its
connection, and an upload its half file, for good. And a body that nobody wants, that of a refused upload say,
is read by gunicorn a kilobyte at a time before the next request, without ever letting another greenlet run:
one client that goes on sending would stop the whole process.
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
"""How long a client may send nothing of a body that is being read."""

LINGER_SECONDS = 10.0
LINGER_SILENT_SECONDS = 2.0
"""How long the rest of a body is read that nobody wants. Hanging up at once would be simpler, but then the
client's system may throw our answer away unseen (RFC 9112, section 9.6)."""


class BodyReadTimeout:
    """WSGI middleware that gives up on silent clients and reads what is left of bodies, within bounds."""

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
            # Who reads our answer slowly may take all the time there is.
            _wait_at_most(connection, None)
        return ClosingIterator(answer, [lambda: _read_rest(environ, connection)])


def _wait_at_most(connection: socket.socket | None, seconds: float | None) -> None:
    """Say how long one read may take; None is for ever. Only gunicorn lends its socket."""
    if connection is not None:
        connection.settimeout(seconds)


def _read_rest(environ: WSGIEnvironment, connection: socket.socket | None) -> None:
    """Read what the app has left of the body; hang up if that is too much. The answer is sent by now."""
    body = environ["wsgi.input"]
    if connection is None or body.failed:  # gunicorn hangs up after a read that failed
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
    body.failed = True  # gunicorn's own mark of a connection on which no further request can be found
