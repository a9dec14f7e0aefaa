"""Know for how long a client has kept the server waiting, and end connections whose clients are too slow.

`web/connection_limit.py` bounds the number of connections and closes those that have stalled for longest.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

WRITE_STALL_SECONDS = 60.0
"""Seconds that a client may take without reading anything of an answer, unless the process is near its limit."""

MIN_BYTES_PER_SECOND = 2_048
"""Lowest speed at which a client may read an answer or send a body, averaged over `SPEED_WINDOW_SECONDS` of waiting."""

SPEED_WINDOW_SECONDS = 60.0

_BLOCK_BYTES = 64 * 1024


def _do_nothing() -> None:
    """Stand in for a callback."""


def _write_stall_seconds() -> float:
    return WRITE_STALL_SECONDS


class ClientTooSlow(OSError):
    """The client reads or sends more slowly than it may.

    It has the number of a connection that the client reset: gunicorn logs those without a traceback.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(errno.ECONNRESET, reason)


class Connection:
    """A client's socket that knows for how long the server has waited for the client.

    It stands in for the socket in gunicorn: what is not defined here is the socket's own.
    """

    def __init__(
        self, client: Any, address: str, write_stall_seconds: Callable[[], float] = _write_stall_seconds
    ) -> None:
        self._client = client
        self._write_stall_seconds = write_stall_seconds
        self.address = address
        self.opened_at = time.monotonic()
        self._head_since: float | None = time.monotonic()
        """When the server began to wait for a request; None while one is served."""
        self._waiting_since: float | None = None
        """When the read or write began in which the server waits for the client."""
        self._on_waiting: Callable[[], None] = _do_nothing
        self._waited_seconds = 0.0
        """For how long the server has waited for the client since the window began."""
        self._window_bytes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def request_arrived(self) -> None:
        """Note that the head of a request is complete: from now on the client waits for the server."""
        self._head_since = None
        self._waited_seconds, self._window_bytes = 0.0, 0

    def begin_request(self, on_waiting: Callable[[], None]) -> None:
        """Note that a request is served; call `on_waiting` each time the server waits for the client."""
        self.request_arrived()
        self._on_waiting = on_waiting

    def end_request(self) -> None:
        """Note that the server waits for the next request."""
        self._head_since = time.monotonic()
        self._on_waiting = _do_nothing

    def stalled_seconds(self, now: float) -> float:
        """Return for how long the client has kept the server waiting; 0 while the server works."""
        if self._head_since is not None:
            return now - self._head_since
        if self._waiting_since is None:
            return 0.0
        waited = self._waited_seconds + now - self._waiting_since
        return waited if self._window_bytes < MIN_BYTES_PER_SECOND * waited else now - self._waiting_since

    def recv(self, size: int, *flags: int) -> bytes:
        """Receive bytes; refuse to wait for a client that sends a body too slowly."""
        with self._waiting():
            received: bytes = self._client.recv(size, *flags)
        if self._head_since is None and received:
            self._count(len(received), "sends")
        return received

    def sendall(self, data: Any, *flags: int) -> None:
        """Send all bytes; give up on a client that reads too slowly."""
        rest = memoryview(data).cast("B")
        timeout = self._client.gettimeout()
        self._client.settimeout(self._write_stall_seconds())
        try:
            while rest:
                with self._waiting():
                    sent = self._client.send(rest[:_BLOCK_BYTES], *flags)
                rest = rest[sent:]
                self._count(sent, "reads")
        except TimeoutError:
            raise ClientTooSlow("the client reads nothing") from None
        finally:
            with contextlib.suppress(OSError):
                self._client.settimeout(timeout)

    @contextlib.contextmanager
    def _waiting(self) -> Iterator[None]:
        self._on_waiting()
        began = self._waiting_since = time.monotonic()
        try:
            yield
        finally:
            self._waiting_since = None
            self._waited_seconds += time.monotonic() - began

    def _count(self, size: int, what: str) -> None:
        self._window_bytes += size
        if self._waited_seconds < SPEED_WINDOW_SECONDS:
            return
        if self._window_bytes < MIN_BYTES_PER_SECOND * self._waited_seconds:
            raise ClientTooSlow(f"the client {what} too slowly")
        self._waited_seconds, self._window_bytes = 0.0, 0

    def has_left(self) -> bool:
        """Tell whether the client has closed the connection. Ask only after the whole body was read."""
        try:
            readable, _, _ = select.select([self._client.fileno()], [], [], 0)
            return bool(readable) and self._client.recv(1, socket.MSG_PEEK) == b""
        except (OSError, ValueError):  # ValueError: the socket is closed, or encrypted and cannot peek
            return False

    def abort(self) -> None:
        """End the connection; a greenlet that waits for the client wakes with an error."""
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)
