"""What the dispatcher counts of its attempts: kept in its own memory, carried over by Redis, shown by the web process.

The dispatcher serves no HTTP. It adds its counts to a hash in Redis at intervals, and the web process that answers
`/metrics` reads it. While Redis is away, counts stay in memory. If Redis loses them, they restart at zero, as counters may.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

OUTCOME = "outcome"
TOOK, WAITED = "took", "waited"

BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_BUCKETS = (*map(str, BOUNDS), "+Inf")
_SUM = "sum_ms"


class DeliveryCounts:
    """Counts in memory, until they are taken."""

    def __init__(self) -> None:
        self._counted: Counter[str] = Counter()

    def note(self, outcome: str, *, took_seconds: float, waited_seconds: float) -> None:
        """Count an attempt: what it came to, how long it took, and for how long it had been due before."""
        self._counted[f"{OUTCOME}:{outcome}"] += 1
        for what, seconds in ((TOOK, took_seconds), (WAITED, waited_seconds)):
            self._counted[f"{what}:{_BUCKETS[bisect_left(BOUNDS, seconds)]}"] += 1
            self._counted[f"{what}:{_SUM}"] += round(seconds * 1000)

    def take(self) -> Mapping[str, int]:
        """Return what was counted since the last time."""
        taken, self._counted = self._counted, Counter()
        return taken

    def put_back(self, taken: Mapping[str, int]) -> None:
        """Add what could not be carried over."""
        self._counted.update(taken)


class DeliveryMetrics:
    """A collector of prometheus_client over the counts that were carried over; none, no metrics."""

    def __init__(self, counted: Mapping[str, int]) -> None:
        self._counted = counted

    def collect(self) -> Iterable[Metric]:
        """Return the metrics."""
        if not self._counted:
            return
        attempts = CounterMetricFamily(
            "speakr_delivery_attempts", "Attempts to deliver, by what they came to", labels=["outcome"]
        )
        for name, count in sorted(self._counted.items()):
            kind, _, outcome = name.partition(":")
            if kind == OUTCOME:
                attempts.add_metric([outcome], count)
        yield attempts
        yield self._histogram("speakr_delivery_attempt_seconds", "How long attempts took", TOOK)
        yield self._histogram(
            "speakr_delivery_wait_seconds", "For how long deliveries had been due when they were sent", WAITED
        )

    def _histogram(self, name: str, text: str, what: str) -> HistogramMetricFamily:
        total = self._counted.get(f"{what}:{_SUM}", 0) / 1000
        return HistogramMetricFamily(name, text, buckets=list(self._cumulated(what)), sum_value=total)

    def _cumulated(self, what: str) -> Iterator[tuple[str, float]]:
        below = 0
        for bucket in _BUCKETS:
            below += self._counted.get(f"{what}:{bucket}", 0)
            yield bucket, below
