"""Clients that go away or fall silent in the middle of an upload."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable

import pytest

from tests.conftest import multipart, wav
from tests.intake.body_timeout import MAX_SILENT_SECONDS
from tests.intake.server import LAST_CHUNK, MEGABYTE, IntakeServer, chunk, head, read_answer, wait_for

pytestmark = pytest.mark.stack

BODY, CONTENT_TYPE = multipart(wav(60.0), "long.wav", {"title": "Never"})
HALF = BODY[: len(BODY) // 2]


def close(connection: socket.socket) -> None:
    connection.close()


def reset(connection: socket.socket) -> None:
    """Go without goodbye: the other side gets an RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def stop_sending(connection: socket.socket) -> None:
    """End the sending side only; the client still waits for an answer."""
    connection.shutdown(socket.SHUT_WR)


def is_being_received(server: IntakeServer) -> bool:
    return bool(server.kept().temporary)


@pytest.mark.parametrize("length", [len(BODY), None], ids=["with a length", "chunked"])
@pytest.mark.parametrize("leave", [close, reset])
def test_nothing_stays_of_an_upload_whose_client_went(
    server: IntakeServer, length: int | None, leave: Callable[[socket.socket], None]
) -> None:
    with server.keeps_nothing():
        connection = server.connect()
        connection.sendall(head(length=length, content_type=CONTENT_TYPE, Idempotency_Key="gone"))
        connection.sendall(HALF if length else chunk(HALF))
        wait_for(lambda: is_being_received(server), "the file begins to be stored")
        leave(connection)


def test_a_client_that_stops_sending_gets_an_error(server: IntakeServer) -> None:
    with server.keeps_nothing(), server.connect() as connection:
        connection.sendall(head(length=len(BODY), content_type=CONTENT_TYPE) + HALF)
        stop_sending(connection)
        status, body = read_answer(connection)
        assert (status, json.loads(body)["code"]) == (400, "incomplete_upload")


def test_the_key_of_a_lost_upload_can_be_used_again(server: IntakeServer) -> None:
    with server.connect() as connection:
        connection.sendall(head(length=len(BODY), content_type=CONTENT_TYPE, Idempotency_Key="again") + HALF)
        wait_for(lambda: is_being_received(server), "the file begins to be stored")
        twin = server.upload(wav(), headers={"Idempotency-Key": "again"})
        assert (twin.status_code, twin.json()["code"]) == (409, "idempotency_in_flight")
    wait_for(lambda: not is_being_received(server), "the half file gone")
    assert server.upload(wav(), headers={"Idempotency-Key": "again"}).status_code == 202


def test_a_client_that_falls_silent_is_given_up(server: IntakeServer) -> None:
    """Its network may be gone, and then no packet ever reports that to the server."""
    with server.keeps_nothing(), server.connect() as connection:
        connection.sendall(head(length=len(BODY), content_type=CONTENT_TYPE) + HALF)
        wait_for(lambda: is_being_received(server), "the file begins to be stored")
        status, body = read_answer(connection)
        assert (status, json.loads(body)["code"]) == (400, "incomplete_upload")


def test_a_silent_body_of_any_other_request_is_given_up_too(server: IntakeServer) -> None:
    with server.connect() as connection:
        token = head(length=2000, content_type="application/json").partition(b"\r\n")[2]
        connection.sendall(b"POST /api/v1/webhooks HTTP/1.1\r\n" + token + b'{"url":')
        assert read_answer(connection)[0] in {400, 408}


def test_slow_is_not_silent(server: IntakeServer) -> None:
    """A client that always has something to say takes longer than the patience for one silence."""
    body, content_type = multipart(wav(1.0), "slow.wav", {})
    step = len(body) // 8 + 1
    began = time.monotonic()
    with server.connect() as connection:
        connection.sendall(head(length=len(body), content_type=content_type))
        for at in range(0, len(body), step):
            connection.sendall(body[at : at + step])
            time.sleep(MAX_SILENT_SECONDS / 6)
        assert read_answer(connection)[0] == 202
    assert time.monotonic() - began > MAX_SILENT_SECONDS


def test_others_are_served_while_many_upload_slowly(server: IntakeServer) -> None:
    """Sixty half uploads at once; then all of them go, and nothing is left."""
    with server.keeps_nothing():
        crowd = [server.connect() for _ in range(60)]
        for connection in crowd:
            connection.sendall(head(length=len(BODY), content_type=CONTENT_TYPE) + BODY[: MEGABYTE // 2])
        wait_for(lambda: len(server.kept().temporary) == len(crowd), "all of them being received")
        assert server.get("/api/v1/recordings")["pagination"]["total"] >= 0
        assert server.upload(b"").status_code == 400
        for connection in crowd:
            reset(connection)


def test_a_whole_chunked_upload_is_taken(server: IntakeServer) -> None:
    body, content_type = multipart(wav(2.0), "chunked.wav", {})
    with server.connect() as connection:
        connection.sendall(head(length=None, content_type=content_type))
        for at in range(0, len(body), 10_000):
            connection.sendall(chunk(body[at : at + 10_000]))
        connection.sendall(LAST_CHUNK)
        assert read_answer(connection)[0] == 202
