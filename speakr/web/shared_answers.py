"""Compute an answer once for all requests that wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class SharedAnswer(Generic[Answer]):
    """An answer that is the same for every caller, and expensive.

    One request of the process computes it at a time. A request uses the answer of another one only if that began after
    the request had arrived, so no answer is older than its request.
    """

    def __init__(self, compute: Callable[[], Answer]) -> None:
        self._compute = compute
        self._lock = threading.Lock()
        self._begun = 0
        self._finished: tuple[int, Answer] | None = None

    def get(self) -> Answer:
        """Return an answer that is at most as old as this call."""
        arrived_at = self._begun
        with self._lock:
            if self._finished is not None and self._finished[0] > arrived_at:
                return self._finished[1]
            self._begun += 1
            answer = self._compute()
            self._finished = (self._begun, answer)
            return answer
