"""WebSockets (RFC 6455): a route whose handshake passes the hooks of all requests, and its connection, which is bounded.

A view is called after the handshake, so it reports failures as frames. Its connections count as event streams do
(`open_streams`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import orjson
import structlog
from flask import Blueprint, Flask, request
from flask_sock import Sock  # type: ignore[import-untyped] # it has no types
from simple_websocket import ConnectionClosed, Server  # type: ignore[import-untyped] # it has no types

from speakr.db import release
from speakr.domain.errors import SpeakrError
from speakr.web.identity import actor
from speakr.web.open_streams import OpenStream

logger = structlog.get_logger(__name__)

PING_SECONDS = 25.0
"""A client that does not answer a ping until the next one is gone."""
MAX_MESSAGE_BYTES = 64 * 1024
"""Of clients, which have little to say."""
_SOCKET = "gunicorn.socket"
_INTERNAL_ERROR, _TRY_AGAIN_LATER = 1011, 1013
"""Close codes (RFC 6455, section 7.4.1, and the IANA registry)."""


class Connection:
    """An open WebSocket and its place among the user's streams."""

    def __init__(self, server: Server, place: OpenStream) -> None:
        self._server = server
        self._place = place

    def send(self, frame: Any) -> None:
        """Send a value as JSON in a text frame. Raises `ConnectionClosed`, which ends the view, when the client is gone."""
        try:
            self._server.send(orjson.dumps(frame).decode())
        except OSError as error:
            raise ConnectionClosed from error

    def keep(self) -> bool:
        """Keep the place; tell whether the client is still there."""
        self._place.renew()
        self._server.input_buffer.clear()  # nothing reads what clients send
        return bool(self._server.connected)


View = Callable[..., None]


def init_app(app: Flask) -> None:
    """Configure the WebSockets of an app; the `register` function of a family with WebSockets calls this."""
    app.config["SOCK_SERVER_OPTIONS"] = {
        "ping_interval": PING_SECONDS,
        "max_message_size": MAX_MESSAGE_BYTES,
    }


def socket_route(blp: Blueprint, path: str) -> Callable[[View], View]:
    """Route WebSockets to a view, which gets the connection first. When it returns, the connection closes with 1000.

    The view declares its access as all views do.
    """

    def decorate(view: View) -> View:
        def serve(server: Server, /, **arguments: Any) -> None:
            _serve(server, view, arguments)

        serve.__name__, serve.__doc__ = view.__name__, view.__doc__
        serve.access = view.access  # type: ignore[attr-defined] # `@needs` has set it
        Sock().route(path, bp=blp)(serve)
        return view

    blp.before_request(_write_whole_frames)
    return decorate


def _serve(server: Server, view: View, arguments: dict[str, Any]) -> None:
    try:
        place = OpenStream(actor().user_id)
    except SpeakrError as error:
        server.close(_TRY_AGAIN_LATER, error.message[:100])
        return
    try:
        view(Connection(server, place), **arguments)
    except ConnectionClosed:
        pass
    except Exception:
        # The handshake is over: there is no response any more that could report it.
        logger.exception("socket_failed", route=request.path)
        if server.connected:
            server.close(_INTERNAL_ERROR)
    finally:
        place.close()
        release()


class _WholeFrames:
    """A socket whose `send` writes everything: two greenlets write frames, and part of one must not follow another's."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def send(self, data: bytes) -> int:
        with self._lock:
            self._connection.sendall(data)
        return len(data)


def _write_whole_frames() -> None:
    """Let the handshake find a socket that writes whole frames."""
    rule = request.url_rule
    if rule is not None and rule.websocket and _SOCKET in request.environ:
        request.environ[_SOCKET] = _WholeFrames(request.environ[_SOCKET])
