"""Things sent to the socket that are no proper requests: no 5xx, no crash, and the next one is served."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import numpy as np
import pytest

from tests.conftest import multipart, wav
from tests.intake.server import ALICE, LAST_CHUNK, IntakeServer, chunk, head, read_answer

pytestmark = pytest.mark.stack

BODY, CONTENT_TYPE = multipart(wav(0.2), "a.wav", {})
CHUNKED = head(length=None, content_type=CONTENT_TYPE)
GET = b"GET /api/v1/recordings HTTP/1.1\r\nHost: door\r\nAuthorization: Bearer " + ALICE.encode() + b"\r\n"


def noise(seed: int) -> bytes:
    return np.random.default_rng(seed).bytes(3000)


REQUESTS: dict[str, bytes] = {
    **{f"random bytes {seed}": noise(seed) + b"\r\n\r\n" for seed in range(6)},
    "random bytes after a line": b"GET / HTTP/1.1\r\n" + noise(7) + b"\r\n\r\n",
    "nothing but line ends": b"\r\n" * 500,
    "the greeting of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + noise(8)[:500],
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a header of 64 KB": GET + b"X-Long: " + b"a" * 65_536 + b"\r\n\r\n",
    "a thousand headers": GET + b"".join(b"X-%d: 1\r\n" % n for n in range(1000)) + b"\r\n",
    "a line of 64 KB": b"GET /" + b"a" * 65_536 + b" HTTP/1.1\r\nHost: door\r\n\r\n",
    "a NUL in the path": b"GET /api/v1/rec\x00ordings HTTP/1.1\r\nHost: door\r\n\r\n",
    "an absurd method": b"BREW /api/v1/recordings HTTP/1.1\r\nHost: door\r\n\r\n",
    "HTTP/9.9": b"GET / HTTP/9.9\r\nHost: door\r\n\r\n",
    "a length that is no number": GET + b"Content-Length: many\r\n\r\n",
    "a negative length": GET + b"Content-Length: -1\r\n\r\n",
    "two lengths": GET + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a length and chunks": CHUNKED[:-2] + b"Content-Length: 5\r\n\r\n" + LAST_CHUNK,
    "a chunk length that is no number": CHUNKED + b"zz\r\n" + BODY,
    "a chunk longer than it says": CHUNKED + b"5\r\n" + BODY + b"\r\n" + LAST_CHUNK,
    "a negative chunk length": CHUNKED + b"-5\r\nabcde\r\n" + LAST_CHUNK,
    "a chunk length of 64 KB": CHUNKED + b"1" * 65_536 + b"\r\n",
    "an endless chunk extension": CHUNKED + b"5;" + b"a" * 65_536,
    "chunks of bytes that are no form": CHUNKED + chunk(noise(9)) + LAST_CHUNK,
    "no boundary": head(length=len(BODY), content_type="multipart/form-data") + BODY,
    "an empty boundary": head(length=len(BODY), content_type='multipart/form-data; boundary=""') + BODY,
    "another boundary": head(length=len(BODY), content_type="multipart/form-data; boundary=b") + BODY,
    "a form that is none": head(length=3000, content_type=CONTENT_TYPE) + noise(10),
    "a longer length than body": head(length=len(BODY) + 100, content_type=CONTENT_TYPE) + BODY,
    "a shorter length than body": head(length=len(BODY) // 2, content_type=CONTENT_TYPE) + BODY,
    "no content type": GET.replace(b"GET", b"POST", 1) + b"Content-Length: 3\r\n\r\nabc",
    "JSON that is none": head(length=6, content_type="application/json").replace(
        b"recordings/upload", b"webhooks"
    )
    + b'{"a":,',
    "deep JSON": head(length=100_000, content_type="application/json").replace(
        b"recordings/upload", b"webhooks"
    )
    + b"[" * 100_000,
    "a token of 8 KB": GET.replace(ALICE.encode(), b"t" * 8000) + b"\r\n",
    "a token of control characters": GET.replace(ALICE.encode(), b"\x01\x02\xff") + b"\r\n",
}


def answers(connection: socket.socket) -> Iterator[tuple[int, bytes]]:
    """Read all responses until the server closes the connection: garbage may look like several requests."""
    while True:
        status, body = read_answer(connection)
        if status == 0:
            return
        yield status, body


@pytest.mark.parametrize("name", REQUESTS)
def test_garbage_is_never_our_fault(server: IntakeServer, name: str) -> None:
    with server.keeps_nothing(), server.connect() as connection:
        try:
            connection.sendall(REQUESTS[name])
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it closed the connection
        for status, body in answers(connection):
            assert 200 <= status < 500, body


def test_a_form_with_a_shorter_length_is_not_taken(server: IntakeServer) -> None:
    request = REQUESTS["a shorter length than body"]
    with server.keeps_nothing(), server.connect() as connection:
        connection.sendall(request)
        status, body = read_answer(connection)
    assert (status, json.loads(body)["code"]) == (400, "incomplete_upload")


def test_slow_headers_delay_no_other_client(server: IntakeServer) -> None:
    """A hundred clients that never come to the point."""
    crowd = [server.connect() for _ in range(100)]
    for round_ in range(3):
        for connection in crowd:
            connection.sendall(b"GET / HTTP/1.1\r\n" if round_ == 0 else b"X-%d: 1\r\n" % round_)
        assert server.get("/api/v1/recordings", ALICE)["pagination"]
    assert server.upload(b"").status_code == 400
    for connection in crowd:
        connection.close()


def test_random_forms(server: IntakeServer) -> None:
    """Bytes of a proper form, cut, doubled and replaced. Some are still forms with a recording in them."""
    dice = np.random.default_rng(11)
    before = server.kept()
    statuses = []
    for _ in range(60):
        body = bytearray(BODY[:200] + BODY[-40:])
        for _ in range(dice.integers(1, 7)):
            at = int(dice.integers(len(body)))
            piece = bytes(body[at : at + int(dice.integers(1, 41))])
            body[at : at + len(piece)] = (b"", piece * 2, dice.bytes(len(piece)))[dice.integers(3)]
        with server.connect() as connection:
            connection.sendall(head(length=len(body), content_type=CONTENT_TYPE) + body)
            status, answer_text = read_answer(connection)
        statuses.append(status)
        assert status == 202 or 400 <= status < 500, (bytes(body), answer_text)
        if status != 202:
            assert set(json.loads(answer_text)) >= {"error", "code", "request_id"}
    kept = server.kept()
    taken = statuses.count(202)
    assert 0 < taken < len(statuses) / 2
    assert kept.rows["recordings"] - before.rows["recordings"] == len(kept.blobs - before.blobs) == taken
    assert kept.temporary == frozenset()
