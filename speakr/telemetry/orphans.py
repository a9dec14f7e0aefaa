"""What was removed from the storage because no row referred to it: carried over by Redis, shown by the web process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, Metric


class OrphanMetrics:
    """A collector of prometheus_client over the counts by kind; without counts there is no metric."""

    def __init__(self, counted: Mapping[str, int]) -> None:
        self._counted = counted

    def collect(self) -> Iterable[Metric]:
        """Return the metric."""
        if not self._counted:
            return
        removed = CounterMetricFamily(
            "speakr_orphans_removed", "Partial writes and blobs removed as orphans", labels=["kind"]
        )
        for kind, count in sorted(self._counted.items()):
            removed.add_metric([kind], count)
        yield removed
