"""Bound the connections of a web process, and close those whose clients do not read or write.

A process serves a limited number of connections. A client that opens many and neither sends a request nor
reads its answers would leave none for others. When there are too many, the connection whose client has been
silent for longest is closed; a client that makes progress keeps its own.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

MAX_CONNECTIONS = 800
"""Per process; gunicorn's own limit, `worker_connections`, lies above it."""

STALLED_SECONDS = 1.0
"""A client that has been silent for less is not closed in favour of another one."""

MAX_WAIT_SECONDS = 5.0
"""Seconds that a new connection waits for room before it is refused with 503."""

_RETRY_SECONDS = 0.05

WRITE_STALL_SECONDS = 20.0
"""Seconds that a client may take without reading anything of an answer."""

MIN_BYTES_PER_SECOND = 2_048
"""Lowest speed at which a client may read an answer or send a body, averaged over `SPEED_WINDOW_SECONDS` of waiting."""

SPEED_WINDOW_SECONDS = 60.0

_BLOCK_BYTES = 64 * 1024


def _do_nothing() -> None:
    """Stand in for a callback."""


class ClientTooSlow(OSError):
    """The client reads or sends more slowly than it may."""


class Connection:
    """A client's socket that knows for how long the server has waited for the client.

    It stands in for the socket in gunicorn: what is not defined here is the socket's own.
    """

    def __init__(self, client: Any, address: str) -> None:
        self._client = client
        self.address = address
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

    def begin_request(self, on_waiting: Callable[[], None]) -> None:
        """Note that a request is served; call `on_waiting` each time the server waits for the client."""
        self._head_since = None
        self._on_waiting = on_waiting
        self._waited_seconds, self._window_bytes = 0.0, 0

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
        self._client.settimeout(WRITE_STALL_SECONDS)
        try:
            while rest:
                with self._waiting():
                    sent = self._client.send(rest[:_BLOCK_BYTES], *flags)
                rest = rest[sent:]
                self._count(sent, "reads")
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

    def abort(self) -> None:
        """End the connection; a greenlet that waits for the client wakes with an error."""
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)


class Connections:
    """The open connections of a process."""

    def __init__(self, most: int = MAX_CONNECTIONS) -> None:
        self._most = most
        self._open: set[Connection] = set()

    @contextlib.contextmanager
    def keeping(self, connection: Connection) -> Iterator[bool]:
        """Count a connection; give whether it may be served."""
        may_be_served = self._wait_for_room()
        if may_be_served:
            self._open.add(connection)
        try:
            yield may_be_served
        finally:
            self._open.discard(connection)

    def _wait_for_room(self) -> bool:
        deadline = time.monotonic() + MAX_WAIT_SECONDS
        while len(self._open) >= self._most and not self._make_room():
            if time.monotonic() > deadline:
                return False
            time.sleep(_RETRY_SECONDS)  # gevent serves others meanwhile
        return True

    def _make_room(self) -> bool:
        """Close the connection that has stalled for longest, of the address that has most of them."""
        now = time.monotonic()
        stalled = {
            each: seconds for each in self._open if (seconds := each.stalled_seconds(now)) > STALLED_SECONDS
        }
        if not stalled:
            return False
        counts = Counter(each.address for each in stalled)
        greedy = max(counts, key=lambda address: counts[address])
        victim = max((each for each in stalled if each.address == greedy), key=lambda each: stalled[each])
        self._open.discard(victim)
        victim.abort()
        return True
