"""A client that sends a body, or reads an answer, more slowly than it may loses its connection."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from speakr.web import connections
from speakr.web.connections import ClientTooSlow, Connection

Pair = tuple[Connection, socket.socket]


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """A connection that serves a request, with a speed averaged over 0.3 s, and the socket of its client."""
    monkeypatch.setattr(connections, "SPEED_WINDOW_SECONDS", 0.3)
    served, client = socket.socketpair()
    with served, client:
        connection = Connection(served, "192.0.2.1")
        connection.begin_request(lambda: None)
        yield connection, client


def send_slowly(client: socket.socket, block: bytes, stopped: threading.Event) -> threading.Thread:
    def run() -> None:
        while not stopped.wait(0.02):
            try:
                client.sendall(block)
            except OSError:
                return

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def receive_until(connection: Connection, is_over: Callable[[], bool]) -> int:
    received = 0
    while not is_over():
        received += len(connection.recv(8192))
    return received


def test_an_upload_of_a_few_bytes_a_second_is_ended(pair: Pair) -> None:
    connection, client = pair
    stopped = threading.Event()
    thread = send_slowly(client, b"x", stopped)
    began = time.monotonic()
    with pytest.raises(ClientTooSlow, match="sends too slowly") as raised:
        receive_until(connection, lambda: time.monotonic() - began > 20)
    assert raised.value.errno == errno.ECONNRESET  # gunicorn logs no traceback of it
    assert time.monotonic() - began >= 0.3  # no client is refused before the window is over
    stopped.set()
    thread.join()


def test_a_client_that_reads_nothing_is_ended(monkeypatch: pytest.MonkeyPatch, pair: Pair) -> None:
    monkeypatch.setattr(connections, "WRITE_STALL_SECONDS", 0.2)
    with pytest.raises(ClientTooSlow, match="reads nothing") as raised:
        pair[0].sendall(bytes(10_000_000))
    assert raised.value.errno == errno.ECONNRESET


def test_an_upload_above_the_least_speed_goes_on(pair: Pair) -> None:
    connection, client = pair
    stopped = threading.Event()
    thread = send_slowly(client, bytes(4 * connections.MIN_BYTES_PER_SECOND), stopped)
    began = time.monotonic()
    assert receive_until(connection, lambda: time.monotonic() - began > 1.0) > 0
    stopped.set()
    thread.join()


def test_time_in_which_the_server_works_does_not_count(pair: Pair) -> None:
    connection, client = pair
    for _ in range(5):
        client.sendall(b"x")
        time.sleep(0.1)  # the server computes, and the byte is already here
        assert connection.recv(10) == b"x"


def test_the_wait_for_the_next_request_does_not_count(pair: Pair) -> None:
    connection, client = pair
    connection.end_request()
    stopped = threading.Event()
    thread = send_slowly(client, b"G", stopped)
    began = time.monotonic()
    assert receive_until(connection, lambda: time.monotonic() - began > 0.6) > 0
    stopped.set()
    thread.join()
