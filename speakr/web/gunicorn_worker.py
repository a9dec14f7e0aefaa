"""The gunicorn worker of the web process: gevent, with bounded connections."""

from __future__ import annotations

import contextlib
from typing import Any

from gunicorn.workers.ggevent import GeventWorker  # type: ignore[import-untyped] # gunicorn has no types

from speakr.web import malformed
from speakr.web.connection_limit import Connections
from speakr.web.connections import Connection
from speakr.web.fair_start import HEALTH_PATHS, FairStart

_REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n"
    b"Content-Type: text/plain\r\nContent-Length: 36\r\n\r\nThe server has too many connections."
)


class Worker(GeventWorker):  # type: ignore[misc] # as above
    """A gevent worker that closes stalled connections when there are too many."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connections = Connections()
        self._fair_start = FairStart()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve a connection until it ends."""
        address = addr[0] if isinstance(addr, tuple) else ""
        connection = Connection(client, address, self._connections.write_stall_seconds)
        with self._connections.keeping(connection) as may_be_served:
            if may_be_served:
                super().handle(listener, connection, addr)
                return
        _send(client, _REFUSAL)
        with contextlib.suppress(OSError):
            client.close()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that cannot be parsed; gunicorn then closes the connection."""
        refusal = malformed.answer(exc)
        if refusal is None:
            super().handle_error(req, client, addr, exc)
            return
        self.log.info("Malformed request: %s", type(exc).__name__)
        _send(client, refusal)

    def handle_request(self, listener_name: Any, req: Any, sock: Connection, addr: Any) -> Any:
        """Serve a request whose head has arrived."""
        sock.request_arrived()
        try:
            if self._connections.is_reserved(sock):
                self._leave_reserve(req, sock)
            turn = self._fair_start.wait(req.path, dict(req.headers), req.query or "")
            sock.begin_request(turn.end)
            try:
                return super().handle_request(listener_name, req, sock, addr)
            finally:
                turn.end()
        finally:
            sock.end_request()

    def _leave_reserve(self, req: Any, sock: Connection) -> None:
        """Serve one health check in the reserve; let any other request wait for room."""
        if req.path in HEALTH_PATHS:
            req.force_close()
        elif not self._connections.wait_for_room(sock):
            _send(sock, _REFUSAL)
            raise StopIteration  # gunicorn's way to end a connection


def _send(client: Any, answer: bytes) -> None:
    """Send a short answer to a client that may be gone."""
    with contextlib.suppress(OSError):
        client.settimeout(1)
        client.sendall(answer)
