"""Wait for a remote engine with a limit on the total time.

Time-outs of sockets count silence between two bytes: an answer that drips, one byte a second, passes all of
them for ever. So a request runs in a thread of its own, while the caller counts the whole time, and asks
every half second whether the answer is still wanted. A thread that is given up ends with its connection.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

from speakr.domain.errors import ConnectorUnavailable

HEARTBEAT_SECONDS: Final = 0.5
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""Thirteen minutes of speech with all probabilities of all tokens are some 2 MB of JSON."""

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Received:
    """A whole body."""

    content: bytes


def wait_interruptibly(
    service: str, ask: Callable[[], _Answer], seconds: float, heartbeat: Callable[[], None]
) -> _Answer:
    """Return what `ask` returns, or raise what it raises.

    Raises:
        ConnectorUnavailable: there was no whole answer within the time.

    """
    answers: list[_Answer] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(ask())
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            failures.append(error)

    # The thread logs as its caller does, with the numbers of the job and the recording.
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(run,), daemon=True, name="asking-an-engine")
    thread.start()
    deadline = time.monotonic() + seconds
    while thread.is_alive():
        left = deadline - time.monotonic()
        if left <= 0:
            raise ConnectorUnavailable(f"{service} did not answer in time.")
        thread.join(min(HEARTBEAT_SECONDS, left))
        if thread.is_alive():
            heartbeat()
    if failures:
        raise failures[0]
    return answers[0]


def read_bounded(service: str, pieces: Iterable[bytes]) -> bytes:
    """Join the pieces of a body that may have no end.

    Raises:
        ConnectorUnavailable: it is longer than any answer can be.

    """
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            raise ConnectorUnavailable(f"{service} gave an answer without an end.")
    return bytes(body)
