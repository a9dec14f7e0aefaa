"""Answers whose heads are long, or do not come to an end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from speakr.domain.deliveries import DeliveryStatus
from speakr.egress.answers import MAX_HEAD_BYTES, MAX_INTERIM
from tests.webhooks.conftest import AddWebhook, Emit
from tests.webhooks.dispatchers import ThreadedDispatcher
from tests.webhooks.receiver import Receiver, flood, raw
from tests.webhooks.states import settled

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def head(size: int) -> bytes:
    """Return the head of an answer of about so many bytes."""
    fields = b"".join(b"X-%d: " % number + b"y" * 2_000 + b"\r\n" for number in range(size // 2_010))
    return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + fields + b"\r\nok"


def endless_hints() -> Iterator[bytes]:
    while True:
        yield HINT * 200


def endless_fields() -> Iterator[bytes]:
    while True:
        yield b"X-A: " + b"y" * 7_000 + b"\r\n"


@pytest.mark.parametrize(
    "data",
    [HINT * MAX_INTERIM + OK, head(MAX_HEAD_BYTES - 8_000), b"HTTP/1.1 100 Continue\r\n\r\n" + OK],
    ids=["hints", "long", "continue"],
)
def test_long_heads_are_read(
    data: bytes, dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(receiver.url("/hook"))
    receiver.script("/hook", raw(data, close=False))
    emit()
    dispatcher.start()
    row = settled(hook)
    assert (row.status, row.response_body_preview) == (DeliveryStatus.SUCCESS, "ok")


@pytest.mark.parametrize(
    ("first", "pieces"),
    [
        (HINT * 200 + OK, ()),
        (head(MAX_HEAD_BYTES + 8_000), ()),
        (b"", endless_hints()),
        (b"HTTP/1.1 200 OK\r\n", endless_fields()),
    ],
    ids=["too many hints", "too long", "endless hints", "endless fields"],
)
def test_heads_that_do_not_end_are_ended(
    first: bytes,
    pieces: Iterator[bytes],
    dispatcher: ThreadedDispatcher,
    receiver: Receiver,
    add_webhook: AddWebhook,
    emit: Emit,
) -> None:
    hook = add_webhook(receiver.url("/hook"))
    receiver.script("/hook", flood(first, pieces))
    emit()
    dispatcher.start()
    row = settled(hook)
    assert (row.status, row.response_status) == (DeliveryStatus.FAILED, None)
    assert row.error_message == "HTTP: the answer is not valid HTTP."
    assert (row.duration_ms or 0) < 1_900  # not by the limit of time


def test_a_long_body_in_one_piece_with_its_head_is_an_answer(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(receiver.url("/hook"))
    body = b"z" * 300_000
    receiver.script("/hook", raw(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + body, close=False))
    emit()
    dispatcher.start()
    row = settled(hook)
    assert (row.status, row.response_body_preview) == (DeliveryStatus.SUCCESS, "z" * 2_000)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (CHUNKED + b"this is no chunk\r\n", DeliveryStatus.SUCCESS, 200),
        (CHUNKED + b"2\r\nok\r\nzz\r\n", DeliveryStatus.SUCCESS, 200),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" + CHUNKED + b"\x00\x00", DeliveryStatus.SUCCESS, 200),
        (b"HTTP/1.1 204 No Content\r\n\r\na body", DeliveryStatus.SUCCESS, 204),
        (
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\na body",
            DeliveryStatus.PERMANENT_FAILURE,
            304,
        ),
    ],
    ids=["no chunk", "bad chunk", "after hints", "204 with a body", "304 with a body"],
)
@pytest.mark.parametrize("cut", [None, 2, -2])
def test_a_status_line_counts_whatever_comes_together_with_it(
    data: bytes,
    status: DeliveryStatus,
    code: int,
    cut: int | None,
    dispatcher: ThreadedDispatcher,
    receiver: Receiver,
    add_webhook: AddWebhook,
    emit: Emit,
) -> None:
    hook = add_webhook(receiver.url("/hook"))
    receiver.script("/hook", flood(data[:cut], iter([data[cut:]] if cut else [])))
    emit()
    dispatcher.start()
    row = settled(hook)
    assert (row.status, row.response_status, row.attempt_count) == (status, code, 1)
    assert len(receiver.requests()) == 1
