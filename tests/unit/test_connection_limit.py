"""Which connections are closed when a web process has too many, and who waits."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest

from speakr.web import connection_limit
from speakr.web.connection_limit import Connections
from speakr.web.connections import WRITE_STALL_SECONDS, Connection
from speakr.web.gunicorn_worker import Worker

MOST = 8
GREEDY, OTHER, LOCAL = "192.0.2.1", "192.0.2.2", "127.0.0.1"

Open = Callable[..., tuple[Connection, bool]]


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Connections:
    monkeypatch.setattr(connection_limit, "MAX_WAIT_SECONDS", 0.3)
    return Connections(MOST)


@pytest.fixture
def enter(limit: Connections) -> Iterator[Open]:
    """Open a connection; returns it and whether it is served. A busy one is not stalled, and a silent one is."""
    with contextlib.ExitStack() as stack:

        def begin(address: str, *, is_busy: bool = True) -> tuple[Connection, bool]:
            served, client = socket.socketpair()
            stack.enter_context(client)
            connection = Connection(stack.enter_context(served), address)
            if is_busy:
                connection.request_arrived()
            else:
                connection._head_since = time.monotonic() - 60
            return connection, stack.enter_context(limit.keeping(connection))

        yield begin


def is_closed(connection: Connection) -> bool:
    connection._client.settimeout(0)
    try:
        return bool(connection._client.recv(1) == b"")
    except BlockingIOError:
        return False


def test_the_oldest_connections_of_a_greedy_address_make_room(enter: Open) -> None:
    greedy = [enter(GREEDY)[0] for _ in range(MOST)]
    began = time.monotonic()
    assert all(enter(OTHER)[1] for _ in range(MOST // 2))
    assert time.monotonic() - began < 0.25  # they did not wait
    assert [is_closed(each) for each in greedy] == [True] * (MOST // 2) + [False] * (MOST // 2)
    assert not enter("192.0.2.3")[1]  # no address has more than half now


def test_a_greedy_address_closes_no_connection_of_another(enter: Open) -> None:
    for _ in range(MOST - 1):
        enter(GREEDY)
    other, _ = enter(OTHER, is_busy=False)
    assert not enter(GREEDY)[1]
    assert not is_closed(other)


def test_behind_a_proxy_only_stalled_connections_make_room(enter: Open) -> None:
    stalled, _ = enter(GREEDY, is_busy=False)
    busy = [enter(GREEDY)[0] for _ in range(MOST - 1)]
    assert enter(GREEDY)[1]
    assert not enter(GREEDY)[1]
    assert is_closed(stalled)
    assert not any(is_closed(each) for each in busy)


def test_addresses_of_one_ipv6_network_are_one_client(enter: Open) -> None:
    for number in range(MOST):
        enter(f"2001:db8::{number:x}")
    assert not enter("2001:db8::ffff")[1]
    assert enter("2001:db8:0:1::1")[1]


def test_those_who_wait_look_together(
    limit: Connections, monkeypatch: pytest.MonkeyPatch, enter: Open
) -> None:
    made = []

    class Counted(connection_limit._Closable):
        def __init__(self, *arguments: Any) -> None:
            made.append(1)
            super().__init__(*arguments)

    for _ in range(MOST):
        enter(GREEDY)
    monkeypatch.setattr(connection_limit, "_Closable", Counted)
    waiting = [gevent.spawn(enter, GREEDY) for _ in range(200)]
    gevent.joinall(waiting, raise_error=True)
    assert not any(each.value[1] for each in waiting)
    assert 1 <= len(made) <= 20  # one in 50 ms
    assert not limit._waiting


def test_too_many_who_wait_are_refused_at_once(monkeypatch: pytest.MonkeyPatch, enter: Open) -> None:
    monkeypatch.setattr(connection_limit, "MAX_WAITING", 0)
    monkeypatch.setattr(connection_limit, "MAX_WAIT_SECONDS", 60)
    for _ in range(MOST):
        enter(GREEDY)
    assert not enter(GREEDY)[1]


def test_a_place_that_is_given_back_goes_to_the_first_who_waits(limit: Connections, enter: Open) -> None:
    for _ in range(MOST - 1):
        enter(GREEDY)
    served, client = socket.socketpair()
    with served, client:
        with limit.keeping(Connection(served, GREEDY)) as is_served:
            assert is_served
            waiting = [gevent.spawn(enter, GREEDY) for _ in range(2)]
            gevent.sleep(0.01)
        gevent.joinall(waiting, raise_error=True)
    assert [each.value[1] for each in waiting] == [True, False]


def test_health_checks_of_this_machine_have_room(limit: Connections, enter: Open) -> None:
    for _ in range(MOST):
        enter(LOCAL)
    for _ in range(connection_limit.RESERVED):
        silent, is_served = enter(LOCAL, is_busy=False)
        assert is_served
        assert limit.is_reserved(silent)
    check, is_served = enter(LOCAL)  # takes the place of a silent one
    assert is_served
    assert limit.is_reserved(check)
    assert not limit.wait_for_room(check)
    assert not limit.is_reserved(check)


def test_a_client_may_pause_longer_while_there_is_room(limit: Connections, enter: Open) -> None:
    assert limit.write_stall_seconds() == WRITE_STALL_SECONDS == 60
    for _ in range(MOST * 3 // 4):
        enter(GREEDY)
    assert limit.write_stall_seconds() == 20


def test_a_request_that_waits_for_its_turn_is_not_stalled(enter: Open) -> None:
    connection, _ = enter(OTHER, is_busy=False)
    seen = []

    class Reached(Exception):
        """The request reached the queue."""

    class Queue:
        def wait(self, *_: object) -> None:
            seen.append(connection.stalled_seconds(time.monotonic()))
            raise Reached

    class Request:
        path = "/"
        query = ""
        headers = ()

    worker = Worker.__new__(Worker)
    worker._connections, worker._fair_start = Connections(), Queue()
    with pytest.raises(Reached):
        worker.handle_request(None, Request(), connection, None)
    assert seen == [0]
