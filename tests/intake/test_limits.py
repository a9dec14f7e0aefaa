"""Bodies that are larger than the server takes, or that it does not want at all."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.conftest import multipart, wav
from tests.intake.body_timeout import LINGER_SECONDS
from tests.intake.server import (
    ALICE,
    LAST_CHUNK,
    LIMIT_MB,
    MEGABYTE,
    TIMEOUT_SECONDS,
    IntakeServer,
    assert_refused,
    chunk,
    head,
    read_answer,
)

pytestmark = pytest.mark.stack

ONE_HEADER = wav(0.0)
FORM = "multipart/form-data; boundary=a-boundary-of-the-tests"
ENDLESS = [
    chunk(multipart(ONE_HEADER, "endless.wav", {})[0].partition(b"\r\n--a-boundary-of-the-tests--")[0]),
    chunk(bytes(MEGABYTE)),
]
"""A form that begins well, and what then comes again and again."""
TOO_LARGE = {
    "code": "too_large",
    "max_size_mb": LIMIT_MB,
    "effective_limit_mb": LIMIT_MB,
    "audio_only_mode": False,
}


def form(size_bytes: int) -> tuple[bytes, str]:
    return multipart(ONE_HEADER + bytes(size_bytes - len(ONE_HEADER)), "large.wav", {})


def exchange(connection: socket.socket, pieces: Iterable[bytes]) -> tuple[int, dict[str, Any]]:
    """Send all pieces, or as many as the server takes, while waiting for the answer."""

    def send() -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for piece in pieces:
                connection.sendall(piece)

    sender = threading.Thread(target=send)
    sender.start()
    status, body = read_answer(connection)
    sender.join(timeout=TIMEOUT_SECONDS)
    assert not sender.is_alive(), "the refused body is still being read"
    return status, json.loads(body)


def blocks(body: bytes) -> Iterable[bytes]:
    return (body[at : at + 100_000] for at in range(0, len(body), 100_000))


def test_a_body_over_the_limit_is_refused_by_its_length(server: IntakeServer) -> None:
    """Before the body is sent: the client expects 100, and never gets to send it."""
    with server.keeps_nothing(), server.connect() as connection:
        size = (LIMIT_MB + 2) * MEGABYTE
        connection.sendall(head(length=size, content_type="multipart/form-data; boundary=x"))
        status, body = read_answer(connection)
        assert status == 413
        assert json.loads(body).items() >= TOO_LARGE.items()


@pytest.mark.parametrize("megabytes", [LIMIT_MB + 0.5, LIMIT_MB + 3])
def test_a_client_that_sends_it_all_gets_the_reason(server: IntakeServer, megabytes: float) -> None:
    body, content_type = form(round(megabytes * MEGABYTE))
    with server.keeps_nothing():
        answer = server.request(
            "POST", "/api/v1/recordings/upload", data=body, headers={"Content-Type": content_type}
        )
    assert assert_refused(answer, 413, "too_large").items() >= TOO_LARGE.items()


@pytest.mark.parametrize("megabytes", [LIMIT_MB + 0.5, LIMIT_MB + 3])
def test_a_chunked_body_over_the_limit_is_refused(server: IntakeServer, megabytes: float) -> None:
    body, content_type = form(round(megabytes * MEGABYTE))
    with server.keeps_nothing(), server.connect() as connection:
        pieces = [head(length=None, content_type=content_type), *map(chunk, blocks(body)), LAST_CHUNK]
        status, answer_text = exchange(connection, pieces)
    assert status == 413
    assert answer_text.items() >= TOO_LARGE.items()


def test_a_chunked_body_without_end_is_refused(server: IntakeServer) -> None:
    """Nor is it read for ever: the server hangs up on a client that goes on and on."""
    with server.keeps_nothing(), server.connect() as connection:
        request = itertools.chain(
            [head(length=None, content_type=FORM), ENDLESS[0]], itertools.repeat(ENDLESS[1])
        )
        began = time.monotonic()
        status, answer_text = exchange(connection, request)
    assert (status, answer_text["code"]) == (413, "too_large")
    assert time.monotonic() - began > LINGER_SECONDS


@pytest.mark.parametrize(
    ("token", "length", "status"), [("nobody", None, 401), ("nobody", 10**12, 401), (ALICE, None, 413)]
)
def test_a_refused_body_that_keeps_arriving_delays_no_other_client(
    server: IntakeServer, token: str, length: int | None, status: int
) -> None:
    is_over = threading.Event()

    def pour() -> Iterable[bytes]:
        yield head(length=length, content_type=FORM, token=token)
        yield from ENDLESS
        while not is_over.is_set():
            yield ENDLESS[1]

    with server.connect() as connection, ThreadPoolExecutor(1) as clients:
        began = time.monotonic()
        pouring = clients.submit(exchange, connection, pour())
        time.sleep(LINGER_SECONDS / 4)
        for _ in range(5):
            assert server.get("/api/v1/recordings")
        served_after = time.monotonic() - began
        is_over.set()
        assert pouring.result()[0] == status
    assert served_after < LINGER_SECONDS, "while it poured in, not when it had ended"


def test_a_file_of_exactly_the_limit_is_taken(server: IntakeServer) -> None:
    body, content_type = form(LIMIT_MB * MEGABYTE)
    answer = server.request(
        "POST", "/api/v1/recordings/upload", data=body, headers={"Content-Type": content_type}
    )
    assert answer.status_code == 202


@pytest.mark.parametrize("fields", [{"notes": "n" * 2 * MEGABYTE}, {f"x{n}": "" for n in range(300)}])
def test_too_much_form_is_refused(server: IntakeServer, fields: dict[str, str]) -> None:
    with server.keeps_nothing():
        answer = server.upload(wav(), **fields)
    assert_refused(answer, 413, "form_too_large")
