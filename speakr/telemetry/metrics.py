"""Counters of this process. Gauges about the whole system are read from the database at scrape time."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

HTTP_REQUESTS = Counter("speakr_http_requests_total", "HTTP requests answered", ["method", "route", "status"])
HTTP_SECONDS = Histogram(
    "speakr_http_request_seconds",
    "Time from the request's head to its answer's head",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
CONFLICTS = Counter(
    "speakr_database_conflicts_total",
    "Units of work repeated after a conflict with a concurrent one",
    ["kind"],
)
