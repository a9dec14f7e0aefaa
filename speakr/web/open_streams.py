"""Count the event streams that are open in this process, so that one user cannot take all of them."""

from __future__ import annotations

import threading
from collections import Counter

from speakr.domain.errors import RateLimited, Unavailable

MAX_PER_USER = 32
MAX_PER_PROCESS = 1_000

_lock = threading.Lock()
_open: Counter[int] = Counter()


class OpenStream:
    """A place among the streams of a user, from `__init__` to `close`.

    Raises:
        RateLimited: the user has `MAX_PER_USER` streams open.
        Unavailable: the process has `MAX_PER_PROCESS` streams open.

    """

    def __init__(self, user_id: int) -> None:
        with _lock:
            if _open[user_id] >= MAX_PER_USER:
                raise RateLimited(
                    f"You have {MAX_PER_USER} event streams open already. Close one first.",
                    code="too_many_streams",
                    retry_after_seconds=5,
                )
            if _open.total() >= MAX_PER_PROCESS:
                raise Unavailable(
                    "The server has no event stream left. Try again later.", code="too_many_streams"
                )
            _open[user_id] += 1
        self._user_id: int | None = user_id

    def close(self) -> None:
        """Give the place back. Further calls do nothing."""
        with _lock:
            if self._user_id is None:
                return
            _open[self._user_id] -= 1
            if not _open[self._user_id]:
                del _open[self._user_id]
            self._user_id = None
