"""Raw bytes that are no proper HTTP, sent to a real server: a 4xx in the API's error shape, never a 500."""

from __future__ import annotations

import contextlib
import json
import random
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.operations.conftest import Stack

pytestmark = pytest.mark.stack

TOKEN = "a-token-for-tests-that-is-long-enough-to-be-taken"
REQUESTS, SEED, THREADS = 2_000, 20_261_130, 4
LEAKS = re.compile(rb"Traceback|/work/|site-packages|speakr/web|gunicorn|werkzeug|<html>", re.IGNORECASE)
HEAD = (
    f"POST /api/v1/tags HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
    "Content-Type: application/json\r\nConnection: close\r\n"
).encode()
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
GET = f"GET /api/v1/users/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n".encode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("malformed")
    stack = Stack(
        folder, folder / "data", "--no-sample", "--workers", "1",
        SPEAKR_TRUSTED_PROXIES="1", SPEAKR_BOOTSTRAP_TOKEN=TOKEN,
    )  # fmt: skip
    try:
        stack.wait_until_ready()
        yield stack
    finally:
        stack.clear_away()


def send(port: int, data: bytes, *, seconds: float = 20.0) -> bytes:
    """Send raw bytes, end our side, and return all that comes back."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as client:
        try:
            client.sendall(data)
            with contextlib.suppress(OSError):  # ENOTCONN: the server has closed the connection already
                client.shutdown(socket.SHUT_WR)
            while block := client.recv(65_536):
                received += block
        except ConnectionError:
            pass  # the server closed the connection before it read all
    return received.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")


def status_of(answer: bytes) -> int:
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", answer)
    assert found, answer[:200]
    return int(found[1])


def shape_of(answer: bytes) -> set[str]:
    return set(json.loads(body_of(answer)))


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    "body",
    [
        b"0x2\r\n{}\r\n0\r\n\r\n",
        b"-1\r\n{}\r\n0\r\n\r\n",
        b"2 \r\n{}\r\n0\r\n\r\n",
        b"\r\n{}\r\n0\r\n\r\n",
        b"2;" + b"x" * 100_000 + b"\r\n{}\r\n0\r\n\r\n",
        b"2{}0\r\n\r\n",
        b"2\r\n{}XX0\r\n\r\n",
        b"fffffffffffffffffffff\r\n{}",
        b"2\r\n{}\r\n",
        b"2\r\n{}\r\n0\r\nBad Trailer\r\n\r\n",
    ],
    ids=["0x2", "-1", "blank", "no size", "extension", "no CRLF", "wrong CRLF", "huge", "no end", "trailer"],
)
def test_a_malformed_chunk_is_a_400(server: Stack, body: bytes) -> None:
    answer = send(server.port, CHUNKED + body)
    assert status_of(answer) == 400, answer[:300]
    assert {"error", "code", "request_id"} <= shape_of(answer)
    assert not LEAKS.search(body_of(answer))


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: x\r\n", b"Content-Length: -1\r\n", b"Content-Length: +2\r\n", b"Content-Length: 0x2\r\n",
        b"Content-Length: 2\r\nContent-Length: 3\r\n", b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n", b"Transfer-Encoding: \x0bchunked\r\n", b"Content-Length: 10\r\n",
    ],
)  # fmt: skip
def test_a_malformed_length_is_refused(server: Stack, head: bytes) -> None:
    answer = send(server.port, HEAD + head + b"\r\n{}")
    assert 400 <= status_of(answer) < 500, answer[:300]
    assert {"error", "code", "request_id"} <= shape_of(answer)
    assert not LEAKS.search(body_of(answer))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Prefix", "https://x"), ("Prefix", "speakr"), ("Prefix", "//evil.example"), ("Prefix", "/a b"), ("Prefix", "/" + "a" * 5_000),
        ("Host", "a b"), ("Host", "[::1"), ("Host", "a:b:c"), ("Host", "x/y"), ("Host", "x:99999999"),
        ("Proto", "gopher"), ("Proto", "javascript"), ("Proto", "https://"), ("For", "<script>"), ("For", "a" * 65),
    ],
)  # fmt: skip
def test_a_malformed_header_of_a_proxy_is_a_400(server: Stack, name: str, value: str) -> None:
    answer = send(server.port, GET + f"X-Forwarded-{name}: {value}\r\n\r\n".encode())
    assert status_of(answer) == 400, answer[:300]
    assert (
        json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
        == f"The header X-Forwarded-{name} is malformed."
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Prefix", "/speakr"), ("Prefix", "/a/b/"), ("Prefix", "/"), ("Host", "notes.example.org:8443"), ("Host", "[::1]:80"),
        ("Proto", "HTTPS"), ("For", "2001:db8::1"), ("For", "192.0.2.1:5000"), ("For", "unknown"),
    ],
)  # fmt: skip
def test_a_proper_header_of_a_proxy_is_accepted(server: Stack, name: str, value: str) -> None:
    assert status_of(send(server.port, GET + f"X-Forwarded-{name}: {value}\r\n\r\n".encode())) == 200


PARTS = (
    b"GET", b"POST", b"PUT", b"PATCH", b"BREW", b" ", b"\t", b"/", b"/api/v1/recordings", b"/readyz", b"*", b"http://[::1/",
    b"?per_page=%ff", b"%00", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/9.9", b"\r\n", b"\n", b"\r", b":", b"Host: x", b"Host: [::1",
    b"Host: a b", b"Host: ", b"Content-Length: 5", b"Content-Length: -5", b"Transfer-Encoding: chunked", b"5\r\nhello\r\n",
    b"0\r\n\r\n", b"0x5\r\n", b"Content-Type: application/json", b"Content-Type: multipart/form-data; boundary=\xff",
    b"Authorization: Basic \xff\xfe", b"Authorization: Bearer " + TOKEN.encode(), b"Cookie: a=\x00", b"Range: bytes=-",
    b"X-Forwarded-Prefix: https://x", b"X-Forwarded-For: ,,,", b"X-Forwarded-Host: \xff", b"X-Forwarded-Proto: \x7f",
    b"Expect: 100-continue", b"Expect: 42", b"Upgrade: h2c", b"Connection: upgrade", b"{", b'{"name": "\xed\xa0\x80"}', b"\x00", b"\xff" * 20,
    b"A" * 9_000, b"X: y\r\n" * 120,
)  # fmt: skip
TARGETS = (
    b"/api/v1/recordings",
    b"/api/v1/tags",
    b"/api/v1/recordings/upload",
    b"/api/v1/uploads",
    b"/healthz",
    b"/metrics",
    b"/x",
)


def random_request(random_: random.Random) -> bytes:
    """Make a request of broken parts, or break a proper one in a few places."""
    if random_.random() < 0.3:
        return b"".join(random_.choices(PARTS, k=random_.randint(1, 15)))
    body = b'{"name": "x"}'
    lines = [
        random_.choice((b"GET", b"POST", b"PATCH", b"DELETE", b"OPTIONS"))
        + b" "
        + random_.choice(TARGETS)
        + b" HTTP/1.1",
        b"Host: x",
        b"Authorization: Bearer " + TOKEN.encode(),
        b"Connection: close",
        random_.choice((b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked")),
    ]
    for _ in range(random_.randint(1, 3)):
        lines.insert(random_.randint(0, len(lines)), random_.choice(PARTS))
    data = bytearray(
        b"\r\n".join(lines) + b"\r\n\r\n" + random_.choice((body, b"d\r\n" + body + b"\r\n0\r\n\r\n"))
    )
    for _ in range(random_.randint(0, 4)):
        data[random_.randrange(len(data))] = random_.randrange(256)
    return bytes(data)


def test_two_thousand_random_requests_get_no_500_and_leave_the_server_alive(server: Stack) -> None:
    source = random.Random(SEED)  # noqa: S311 - the same requests in each run
    left = [random_request(source) for _ in range(REQUESTS)]
    port, statuses, failures = server.port, Counter[int](), list[tuple[bytes, bytes]]()

    def send_some() -> None:
        while left:
            try:
                data = left.pop()
            except IndexError:
                return
            try:
                answer = send(port, data)
                status = status_of(answer) if answer else 0
            except AssertionError as error:
                failures.append((data, str(error).encode()))
                continue
            statuses[status] += 1
            if (status >= 500 and status != 501) or LEAKS.search(body_of(answer)):
                failures.append((data, answer[:500]))

    threads = [threading.Thread(target=send_some) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert statuses[400] > REQUESTS / 10
    assert statuses[200] > 0
    assert server.get("/healthz")[0] == 200
    log = (server.data / "logs" / "web.log").read_text()
    assert "unhandled_exception" not in log
    assert "Traceback" not in log
