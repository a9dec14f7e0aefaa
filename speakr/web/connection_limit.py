"""Bound the connections of a web process, so that one client cannot take all of them.

When there are too many, the connection whose client has been silent for longest is closed. If none is silent, it
is the oldest one of the address that has more than half of all connections, unless the newcomer has the same
address. Some connections are kept for health checks on this machine.

All methods run in the event loop and change their state without giving way, so they need no locks.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator

from gevent.event import Event

from speakr.web import connections
from speakr.web.connections import Connection
from speakr.web.networks import network_of

MAX_CONNECTIONS = 800
"""Per process; gunicorn's own limit, `worker_connections`, lies above this, `RESERVED` and `MAX_WAITING` together."""

RESERVED = 16
"""Further connections for health checks from loopback addresses."""

MAX_WAITING = 1_000
"""Connections that wait for room; further ones are refused at once."""

STALLED_SECONDS = 1.0
"""A client that has been silent for less is not closed in favour of another one."""

MAX_WAIT_SECONDS = 5.0
"""Seconds that a new connection waits for room before it is refused with 503."""

WRITE_STALL_SECONDS_WHEN_FULL = 20.0
"""Seconds that a client may take without reading anything of an answer while the process is near its limit."""

_RETRY_SECONDS = 0.05


class _Waiter:
    """A connection that waits for room."""

    __slots__ = ("connection", "network", "wakes")

    def __init__(self, connection: Connection, network: str) -> None:
        self.connection = connection
        self.network = network
        self.wakes = Event()


class _Closable:
    """The connections that may be closed to make room, as they were at one moment."""

    def __init__(self, open_ones: dict[Connection, str], now: float) -> None:
        self._open = open_ones
        self._stalled: dict[str, list[Connection]] = {}
        """Network -> its stalled connections, the one that has stalled for longest last."""
        stalled = ((each.stalled_seconds(now), each.opened_at, each) for each in open_ones)
        for seconds, _, each in sorted(stalled, key=lambda row: row[:2]):
            if seconds > STALLED_SECONDS:
                self._stalled.setdefault(open_ones[each], []).append(each)
        counts = Counter(open_ones.values())
        network, count = counts.most_common(1)[0] if counts else ("", 0)
        surplus = count - len(open_ones) // 2
        self._greedy = network if surplus > 0 else None
        """The network with more than half of all connections."""
        self._oldest: list[Connection] = []
        """Those of its connections that may be closed, the oldest last."""
        if surplus > 0:
            ages = sorted(
                (each for each in open_ones if open_ones[each] == network), key=lambda each: each.opened_at
            )
            self._oldest = ages[:surplus][::-1]

    def take(self, network: str, now: float) -> Connection | None:
        """Return a connection to close in favour of a new one from `network`, each one once."""
        return self._take_stalled(network, now) or self._take_oldest(network)

    def _take_stalled(self, network: str, now: float) -> Connection | None:
        """Return the one that has stalled for longest, of the network that has most of them."""
        while self._stalled:
            # A network that has more than half already takes the place of no other one's connection.
            chosen = (
                network
                if network == self._greedy
                else max(self._stalled, key=lambda each: len(self._stalled[each]))
            )
            if chosen not in self._stalled:
                return None
            found = self._stalled[chosen].pop()
            if not self._stalled[chosen]:
                del self._stalled[chosen]
            if found in self._open and found.stalled_seconds(now) > STALLED_SECONDS:
                return found
        return None

    def _take_oldest(self, network: str) -> Connection | None:
        if network == self._greedy:
            return None
        while self._oldest:
            found = self._oldest.pop()
            if found in self._open:
                return found
        return None


class Connections:
    """The open connections of a process."""

    def __init__(self, most: int = MAX_CONNECTIONS) -> None:
        self._most = most
        self._open: dict[Connection, str] = {}
        """Connection -> network of its client."""
        self._reserved: dict[Connection, str] = {}
        self._waiting: dict[_Waiter, None] = {}
        """In order of arrival."""
        self._closable = _Closable({}, 0.0)
        self._look_again_at = 0.0

    def write_stall_seconds(self) -> float:
        """Return how long a client may take without reading anything of an answer."""
        is_near_limit = len(self._open) >= self._most * 3 // 4
        return WRITE_STALL_SECONDS_WHEN_FULL if is_near_limit else connections.WRITE_STALL_SECONDS

    @contextlib.contextmanager
    def keeping(self, connection: Connection) -> Iterator[bool]:
        """Count a connection; give whether it may be served."""
        network = network_of(connection.address)
        is_local = _is_loopback(connection.address)
        try:
            yield (
                self._enter(connection, network)
                or (is_local and self._enter_reserve(connection, network))
                or self._wait(connection, network)
            )
        finally:
            self._leave(connection)

    def is_reserved(self, connection: Connection) -> bool:
        """Return whether a connection has a place that is kept for health checks."""
        return connection in self._reserved

    def wait_for_room(self, connection: Connection) -> bool:
        """Exchange the reserved place of a connection for another one; return False if there is none."""
        network = self._reserved.pop(connection)
        return self._enter(connection, network) or self._wait(connection, network)

    def _enter(self, connection: Connection, network: str) -> bool:
        if len(self._open) >= self._most and not self._make_room(network):
            return False
        self._open[connection] = network
        return True

    def _enter_reserve(self, connection: Connection, network: str) -> bool:
        if len(self._reserved) >= RESERVED:
            longest = _Closable(self._reserved, time.monotonic()).take(network, time.monotonic())
            if longest is None:
                return False
            del self._reserved[longest]
            longest.abort()
        self._reserved[connection] = network
        return True

    def _leave(self, connection: Connection) -> None:
        self._reserved.pop(connection, None)
        self._open.pop(connection, None)
        while self._waiting and len(self._open) < self._most:
            self._admit(next(iter(self._waiting)))

    def _wait(self, connection: Connection, network: str) -> bool:
        """Wait for room. The first of those who wait looks for connections to close, for all of them."""
        if len(self._waiting) >= MAX_WAITING:
            return False
        waiter = _Waiter(connection, network)
        self._waiting[waiter] = None
        deadline = time.monotonic() + MAX_WAIT_SECONDS
        try:
            while waiter in self._waiting:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                is_first = next(iter(self._waiting)) is waiter
                waiter.wakes.clear()
                waiter.wakes.wait(min(left, _RETRY_SECONDS) if is_first else left)
                if is_first:
                    self._make_room_for(list(self._waiting))
            return connection in self._open
        finally:
            self._waiting.pop(waiter, None)
            if self._waiting:
                next(iter(self._waiting)).wakes.set()  # it looks from now on

    def _make_room_for(self, waiters: Iterable[_Waiter]) -> None:
        refused: set[str] = set()
        for waiter in waiters:
            if waiter.network in refused or waiter not in self._waiting:
                continue
            if self._make_room(waiter.network):
                self._admit(waiter)
            else:
                refused.add(waiter.network)

    def _admit(self, waiter: _Waiter) -> None:
        del self._waiting[waiter]
        self._open[waiter.connection] = waiter.network
        waiter.wakes.set()

    def _make_room(self, network: str) -> bool:
        now = time.monotonic()
        if now >= self._look_again_at:
            self._look_again_at = now + _RETRY_SECONDS
            self._closable = _Closable(self._open, now)
        victim = self._closable.take(network, now)
        if victim is None:
            return False
        del self._open[victim]
        victim.abort()
        return True


def _is_loopback(address: str) -> bool:
    return address == "::1" or address.removeprefix("::ffff:").startswith("127.")
