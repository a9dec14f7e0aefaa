"""Health and metrics. None needs an API token, but metrics are restricted."""

from __future__ import annotations

import hmac

from flask import Blueprint, Response, abort, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Gauge,
    generate_latest,
    multiprocess,
)

from speakr.services.accounts import mailing
from speakr.services.system import health, orphans, readiness
from speakr.services.webhooks.deliveries import claiming
from speakr.telemetry.deliveries import DeliveryMetrics
from speakr.telemetry.orphans import OrphanMetrics
from speakr.web.identity import public
from speakr.web.json import json_response
from speakr.web.shared_answers import SharedAnswer

blp = Blueprint("system", __name__)

_LOOPBACK = {"127.0.0.1", "::1", "unix:", ""}


@blp.get("/healthz")
@public
def healthz() -> Response:
    """Answer 200 while the process runs."""
    return json_response({"status": "ok"})


@blp.get("/readyz")
@public
def readyz() -> Response:
    """Answer whether everything is available that requests need. The result is up to 2 s old."""
    is_ready, report = readiness.current()
    return json_response(
        {"status": "ready" if is_ready else "not ready", "checks": report}, 200 if is_ready else 503
    )


@blp.get("/metrics")
@public
def metrics() -> Response:
    """Return metrics for Prometheus, to loopback addresses or with SPEAKR_METRICS_TOKEN."""
    wanted = health.metrics_token()
    if wanted:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            abort(404)
    elif (request.remote_addr or "") not in _LOOPBACK or "X-Forwarded-For" in request.headers:
        # Behind a proxy on this machine, all clients look local.
        abort(404)
    return Response(_METRICS.get(), content_type=CONTENT_TYPE_LATEST)


def _counters() -> bytes:
    folder = health.metrics_folder()
    if not folder:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call] # the package is half typed
    return generate_latest(registry)


def _gauges() -> CollectorRegistry:
    registry = CollectorRegistry()

    def gauge(name: str, text: str, value: float) -> None:
        Gauge(name, text, registry=registry).set(value)

    jobs = Gauge("speakr_jobs", "Active jobs", ["state"], registry=registry)
    for state, count in health.jobs_by_state().items():
        jobs.labels(state).set(count)
    deliveries = Gauge(
        "speakr_deliveries", "Deliveries without a final result", ["status"], registry=registry
    )
    for status, count in health.deliveries_by_status().items():
        deliveries.labels(status).set(count)
    gauge("speakr_oldest_job_seconds", "Age of the oldest job that is due", health.oldest_job_seconds())
    gauge(
        "speakr_oldest_delivery_seconds",
        "Age of the oldest delivery that is due",
        claiming.oldest_due_seconds(),
    )
    gauge("speakr_webhooks_paused", "Webhooks paused for failing", health.paused_webhooks())
    emails = Gauge("speakr_emails", "E-mails of the last seven days by state", ["state"], registry=registry)
    for state, count in mailing.counts().items():
        emails.labels(state).set(count)
    registry.register(DeliveryMetrics(health.delivery_counts()))
    registry.register(OrphanMetrics(orphans.removed_counts()))
    return registry


_METRICS = SharedAnswer(lambda: _counters() + generate_latest(_gauges()))
