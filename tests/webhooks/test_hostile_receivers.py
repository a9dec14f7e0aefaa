"""Receivers that answer badly: each costs one attempt of its own delivery, in time and memory that are bounded."""

from __future__ import annotations

import gzip
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from speakr.domain.deliveries import DeliveryStatus
from tests.webhooks.conftest import AddWebhook, Emit
from tests.webhooks.dispatchers import ThreadedDispatcher, until
from tests.webhooks.receiver import Answer, Receiver, drip, flood, hang, raw, reply
from tests.webhooks.states import all_settled, deliveries, settled

SUCCESS, RETRY, FINAL = DeliveryStatus.SUCCESS, DeliveryStatus.FAILED, DeliveryStatus.PERMANENT_FAILURE
MB = 1024 * 1024
NO_ANSWER = "HTTP timeout: no answer came within 1 s."
NOT_HTTP = "HTTP: the answer is not valid HTTP."
CLOSED = "HTTP: the connection was closed before a complete answer came."

in_a_second = pytest.mark.parametrize("tuned", [{"webhook_timeout_seconds": 1.0}], indirect=True)

BOMB = gzip.compress(bytes(50 * MB))

SLOW: dict[str, tuple[Answer, DeliveryStatus, str | None]] = {
    "silence": (hang(), RETRY, NO_ANSWER),
    "a status line in drips": (drip(b"HTTP/1.1 200 ", b"O"), RETRY, NO_ANSWER),
    "a head in drips": (drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", every=0.1), RETRY, NO_ANSWER),
    "early hints without end": (drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", every=0.1), RETRY, NO_ANSWER),
    "a body in drips": (drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"), SUCCESS, None),
    "a failure's body in drips": (drip(b"HTTP/1.1 500 No\r\nContent-Length: 9999\r\n\r\n"), RETRY, None),
    "a body that never comes": (
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", close=False),
        SUCCESS,
        None,
    ),
}

QUICK: dict[str, tuple[Answer, DeliveryStatus, str | None]] = {
    "a huge body": (
        flood(b"HTTP/1.1 200 OK\r\nContent-Length: 209715200\r\n\r\n", [b"x" * MB] * 200), SUCCESS, None,
    ),
    "a body without end": (
        flood(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", (b"10000\r\n" + b"x" * 0x10000 + b"\r\n" for _ in iter(int, 1))
        ), SUCCESS, None,
    ),
    "a gzip bomb": (reply(200, BOMB, {"Content-Encoding": "gzip"}), SUCCESS, None),
    "a body cut short": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nabc"), SUCCESS, None),
    "a bad chunk": (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc"), SUCCESS, None),
    "NUL bytes": (reply(200, b"a\x00b\x00"), SUCCESS, None),
    "bytes that are no UTF-8": (reply(200, b"\xff\xfe caf\xe9 \xed\xa0\x80"), SUCCESS, None),
    "text that runs backwards": (reply(404, "\u202egnp.exe\u2066".encode()), FINAL, None),
    "five thousand fields": (raw(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 5000 + b"\r\n"), RETRY, NOT_HTTP),
    "a field of a megabyte": (raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * MB + b"\r\n\r\n"), RETRY, NOT_HTTP),
    "another protocol": (raw(b"SSH-2.0-OpenSSH_9.6\r\n"), RETRY, NOT_HTTP),
    "half a head": (raw(b"HTTP/1.1 200 OK\r\nContent-"), RETRY, CLOSED),
    "nothing": (raw(b""), RETRY, CLOSED),
    "two answers": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" * 2, close=False), SUCCESS, None),
    "ten early hints": (
        raw(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 10 + b"HTTP/1.1 204 Done\r\n\r\n", close=False),
        SUCCESS, None,
    ),
    "a cookie": (reply(200, b"ok", {"Set-Cookie": "a=b; Max-Age=9999"}), SUCCESS, None),
}  # fmt: skip


@pytest.mark.on_sqlite
@in_a_second
@pytest.mark.parametrize("what", SLOW)
def test_what_takes_long_is_cut(
    what: str, dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    answer, status, message = SLOW[what]
    hook = add_webhook(receiver.url("/hook"))
    receiver.script("/hook", answer)
    emit()
    dispatcher.start()
    (request,) = receiver.wait_for(1)
    row = settled(hook)
    assert time.time() - request.at < 5.0
    assert (row.status, row.error_message, row.attempt_count) == (status, message, 1)


@pytest.mark.parametrize("what", QUICK)
def test_what_is_wrong_costs_one_attempt(
    what: str, dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    answer, status, message = QUICK[what]
    hook, good = add_webhook(receiver.url("/hook")), add_webhook(receiver.url("/good"))
    receiver.script("/hook", answer)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    emit(2)
    dispatcher.start()
    until(lambda: all(row.attempt_count == 1 for row in deliveries()))
    assert [row.status for row in deliveries(good)] == [SUCCESS, SUCCESS]
    for row in deliveries(hook):
        assert (row.status, row.error_message) == (status, message)
        preview = row.response_body_preview or ""
        assert len(preview) <= 2000
        assert "\x00" not in preview
    assert not any("cookie" in one.headers for one in receiver.requests())
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 24, f"{grown:.0f} MB"


def test_previews_are_kept_as_far_as_they_can_be(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    texts = {
        b"a\x00b": "a\ufffdb",
        b"caf\xe9": "caf\ufffd",
        "\u00e9".encode() * 1001: "\u00e9" * 1000,
        b"": "",
    }
    texts |= {b"x" + "\u00e9".encode() * 1001: "x" + "\u00e9" * 999}
    hooks = {}
    for number, body in enumerate(texts):
        receiver.script(f"/{number}", reply(200, body))
        hooks[add_webhook(receiver.url(f"/{number}"))] = texts[body]
    emit()
    dispatcher.start()
    until(all_settled)
    for hook, preview in hooks.items():
        assert deliveries(hook)[0].response_body_preview == preview


@contextmanager
def full_backlog() -> Iterator[int]:
    """A port whose connections are neither taken nor refused."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        waiting = []
        for _ in range(4):
            one = socket.socket()
            one.settimeout(0)
            one.connect_ex(server.getsockname())
            waiting.append(one)
        yield server.getsockname()[1]
        for one in waiting:
            one.close()


@pytest.mark.on_sqlite
@in_a_second
def test_a_connection_that_is_not_taken_is_given_up(
    dispatcher: ThreadedDispatcher, add_webhook: AddWebhook, emit: Emit
) -> None:
    with full_backlog() as port:
        hook = add_webhook(f"http://127.0.0.1:{port}/")
        emit()
        started = time.monotonic()
        dispatcher.start()
        row = settled(hook)
        assert time.monotonic() - started < 10
    assert (row.status, row.error_message) == (RETRY, "connect timeout: no connection was made within 1 s.")


@pytest.mark.on_sqlite
@in_a_second
def test_a_refused_connection_is_tried_again(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(receiver.url())
    receiver.close()
    emit()
    dispatcher.start()
    row = settled(hook)
    assert (row.status, row.error_message) == (RETRY, "connect: connection refused.")


@pytest.mark.on_sqlite
@in_a_second
def test_a_name_without_an_address_is_tried_again(
    dispatcher: ThreadedDispatcher, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook("https://does-not-exist.invalid/hook")
    emit()
    dispatcher.start()
    row = settled(hook)
    assert row.status is RETRY
    assert row.error_message is not None
    assert row.error_message.startswith("Address")
