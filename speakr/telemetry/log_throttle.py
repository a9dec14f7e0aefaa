"""Throttled logging: a condition that lasts is logged once in a while, not each time."""

from __future__ import annotations

import time

EVERY_SECONDS = 30.0


class LogThrottle:
    """Allows each log message at most once per interval."""

    def __init__(self, every_seconds: float = EVERY_SECONDS) -> None:
        self._every_seconds = every_seconds
        self._logged_at: dict[str, float] = {}

    def allow(self, message: str) -> bool:
        """Return whether `message` may be logged now; a call that returns True counts as logging it."""
        moment = time.monotonic()
        if moment - self._logged_at.get(message, -self._every_seconds) < self._every_seconds:
            return False
        self._logged_at[message] = moment
        return True
