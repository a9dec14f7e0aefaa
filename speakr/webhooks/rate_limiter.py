"""How many attempts a second a webhook gets, where its owner has set a limit.

Each attempt is given a moment to start, one interval after the one before it (a leaky bucket that holds one). So no
second sees more than n + 1 of them. It is forgotten when a send loop ends, so the next begins as if each webhook had
just been sent to: what the loop before it sent in its last second counts too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

AHEAD_SECONDS = 0.25
"""Deliveries are claimed so long before they start, or the limit would depend on how often we claim."""

_MARGIN = 0.95
"""Between our start and their arrival lie milliseconds that differ. Sending a little slower makes up for that."""


def interval(per_second: int) -> float:
    """Return the seconds between two starts."""
    return 1 / (per_second * _MARGIN)


@dataclass(frozen=True, slots=True)
class Paces:
    """The rate of every webhook at one moment; it may be read in another thread."""

    moment: float
    began: float
    next_start: Mapping[int, float]

    def first_start(self, webhook_id: int, per_second: int) -> float:
        """Return when a webhook's next attempt may start."""
        return self.next_start.get(webhook_id, self.began + interval(per_second))

    def open_starts(self, webhook_id: int, per_second: int) -> int:
        """Return how many attempts may be claimed now."""
        first = max(self.moment, self.first_start(webhook_id, per_second))
        ahead = self.moment + AHEAD_SECONDS - first
        return 0 if ahead < 0 else 1 + int(ahead / interval(per_second))

    def opens_in(self, webhook_id: int, per_second: int, taken: int) -> float:
        """Return in how many seconds more may be claimed once `taken` have been."""
        first = max(self.moment, self.first_start(webhook_id, per_second))
        return max(0.0, first + taken * interval(per_second) - AHEAD_SECONDS - self.moment)


class RateLimiter:
    """Gives out the starts of one send loop."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self._next_start: dict[int, float] = {}

    def now(self) -> Paces:
        """Return how things stand."""
        return Paces(self._clock(), self._began, dict(self._next_start))

    def wait_for_start(self, webhook_id: int, per_second: int) -> float:
        """Give out a webhook's next start; return the seconds until then."""
        moment = self._clock()
        start = max(moment, self._next_start.get(webhook_id, self._began + interval(per_second)))
        self._next_start[webhook_id] = start + interval(per_second)
        return start - moment
