"""Limit the attempts per second of webhooks with `max_per_second`.

Each attempt gets a start time, one interval after the previous one (a leaky bucket of size one). So no second has more
than n + 1 attempts. The state ends with a send loop. The next loop starts as if each webhook had just been sent to, so the last
second of the previous loop counts too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

AHEAD_SECONDS = 0.25
"""Seconds that deliveries are claimed before they start; otherwise the limit would depend on the interval of claims."""

_MARGIN = 0.95
"""Margin for the varying milliseconds between start and arrival: Speakr sends slightly slower than the limit."""


def interval(per_second: int) -> float:
    """Return the seconds between two start times."""
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
        """Return the seconds until more may be claimed, after `taken` more claims."""
        first = max(self.moment, self.first_start(webhook_id, per_second))
        return max(0.0, first + taken * interval(per_second) - AHEAD_SECONDS - self.moment)


class RateLimiter:
    """Assigns the start times of one send loop."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self._next_start: dict[int, float] = {}

    def now(self) -> Paces:
        """Return a snapshot of the rates."""
        return Paces(self._clock(), self._began, dict(self._next_start))

    def wait_for_start(self, webhook_id: int, per_second: int) -> float:
        """Assign a webhook's next start time; return the seconds until then."""
        moment = self._clock()
        start = max(moment, self._next_start.get(webhook_id, self._began + interval(per_second)))
        self._next_start[webhook_id] = start + interval(per_second)
        return start - moment
