"""Saying a thing seldom: what goes on for long is logged now and then, not each time."""

from __future__ import annotations

import time

EVERY_SECONDS = 30.0


class Seldom:
    """True at most once in so many seconds, for each word."""

    def __init__(self, every_seconds: float = EVERY_SECONDS) -> None:
        self._every_seconds = every_seconds
        self._said: dict[str, float] = {}

    def may_say(self, word: str) -> bool:
        """Tell whether `word` may be said now; asking counts as saying it."""
        moment = time.monotonic()
        if moment - self._said.get(word, -self._every_seconds) < self._every_seconds:
            return False
        self._said[word] = moment
        return True
