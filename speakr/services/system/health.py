"""Check the parts that the server needs, for load balancers and operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from redis.exceptions import RedisError
from sqlalchemy import func, select, text

from speakr.backends import get_backends
from speakr.db import db, release
from speakr.domain.clock import now
from speakr.domain.jobs import JobState
from speakr.models import Delivery, Job, Webhook
from speakr.services.webhooks.deliveries import claiming
from speakr.services.webhooks.deliveries.states import IS_OPEN

logger = structlog.get_logger(__name__)

OLDEST_WAIT_SECONDS = 60.0
"""Seconds. A delivery that has been due for longer, with nothing sent to its webhook, means that no dispatcher works."""
OLDEST_UNCLAIMED_SECONDS = 60.0
"""Seconds. A job that has been due for longer, with no job running, means that no worker works."""

DISPATCHER_KEY = "speakr:dispatcher"
"""The dispatcher sets this key with a short expiry time."""
DELIVERY_COUNTS_KEY = "speakr:deliveries:counts"
"""Counters of the dispatcher since Redis was last emptied (`telemetry.deliveries`)."""


def readiness(storage: Callable[[], str | None]) -> tuple[bool, dict[str, Any]]:
    """Check every part; return whether all are available, and a report on each.

    storage: returns why the storage cannot be used, or None. `readiness.current()` shares the result.
    """
    checks: dict[str, Callable[[], str | None]] = {
        "database": _database,
        "redis": _redis,
        "storage": storage,
        "queue": _queue,
        "dispatcher": _dispatcher,
    }
    report: dict[str, Any] = {}
    for name, check in checks.items():
        try:
            reason = check()
        except Exception as error:  # noqa: BLE001 - any error means "not ready"; the log has the cause
            logger.warning("not_ready", part=name, kind=type(error).__name__)
            reason = "unreachable"
        finally:
            release()
        report[name] = {"ok": reason is None, **({"reason": reason} if reason else {})}
    return all(part["ok"] for part in report.values()), report


def _database() -> str | None:
    db.session.execute(text("SELECT 1"))
    return None


def _redis() -> str | None:
    get_backends().redis.ping()
    return None


def _queue() -> str | None:
    if oldest_job_seconds() > OLDEST_UNCLAIMED_SECONDS and not jobs_by_state().get(JobState.RUNNING.value):
        return "jobs are waiting and no worker takes them"
    return None


def _dispatcher() -> str | None:
    if not get_backends().redis.exists(DISPATCHER_KEY):
        return "no dispatcher reports"
    if claiming.starved_seconds() > OLDEST_WAIT_SECONDS + get_backends().settings.webhook_timeout_seconds:
        return "deliveries are overdue"
    return None


def oldest_job_seconds() -> float:
    """Return the seconds for which the oldest due job has been waiting."""
    moment = now()
    oldest = db.session.scalar(
        select(func.min(func.coalesce(Job.not_before, Job.queued_at))).where(Job.state == JobState.QUEUED)
    )
    return 0.0 if oldest is None else max(0.0, (moment - oldest).total_seconds())


def jobs_by_state() -> dict[str, int]:
    """Count active jobs by state."""
    return {
        row.state.value: row.n
        for row in db.session.execute(
            select(Job.state, func.count().label("n"))
            .where(Job.state.in_((JobState.QUEUED, JobState.RUNNING)))
            .group_by(Job.state)
        )
    }


def deliveries_by_status() -> dict[str, int]:
    """Count open deliveries by status."""
    return {
        row.status.value: row.n
        for row in db.session.execute(
            select(Delivery.status, func.count().label("n")).where(IS_OPEN).group_by(Delivery.status)
        )
    }


def paused_webhooks() -> int:
    """Count webhooks that were paused automatically after failures."""
    return db.session.scalar(select(func.count()).select_from(Webhook).where(Webhook.auto_paused)) or 0


def delivery_counts() -> dict[str, int]:
    """Return the counters of the dispatcher; empty while Redis is unreachable."""
    try:
        counted: Any = get_backends().redis.hgetall(DELIVERY_COUNTS_KEY)
    except RedisError:
        return {}
    return {name.decode(): int(value) for name, value in counted.items()}


def metrics_token() -> str:
    """Return the token that /metrics requires; empty means that it answers only to this machine."""
    return get_backends().settings.metrics_token


def metrics_folder() -> str:
    """Return the folder in which web processes share their counters; empty means that there is only one process."""
    return get_backends().settings.metrics_dir
