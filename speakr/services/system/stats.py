"""Statistics for dashboards: a few indexed sums, cached for two seconds because dashboards poll often."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, func, select

from speakr.db import db
from speakr.domain.clock import isoformat_z, now
from speakr.domain.errors import Forbidden
from speakr.domain.jobs import JobState
from speakr.domain.permissions import Actor
from speakr.domain.recordings import RecordingStatus
from speakr.models import Job, Recording, User
from speakr.services.accounts import budgets, usage
from speakr.services.system import system_settings

_CACHE_SECONDS = 2.0
_ACTIVE_WITHIN = timedelta(days=30)
_MAX_CACHED = 2_000

_cache: dict[int | None, tuple[float, dict[str, Any]]] = {}


def for_user(actor: Actor) -> dict[str, Any]:
    """Return the actor's statistics."""
    return _cached(actor.user_id)


def for_everybody(actor: Actor) -> dict[str, Any]:
    """Return the statistics of the whole server, for admins."""
    if not actor.acts_as_admin:
        raise Forbidden("Admin access required for global stats", code="admin_required")
    return _cached(None)


def forget() -> None:
    """Clear the cache (tests)."""
    _cache.clear()


def _cached(user_id: int | None) -> dict[str, Any]:
    moment = time.monotonic()
    known = _cache.get(user_id)
    if known is not None and moment - known[0] < _CACHE_SECONDS:
        return known[1]
    if len(_cache) >= _MAX_CACHED:
        _cache.clear()
    numbers = _count(user_id)
    _cache[user_id] = (moment, numbers)
    return numbers


def _count(user_id: int | None) -> dict[str, Any]:
    mine = [] if user_id is None else [Recording.user_id == user_id]
    kept = case((Recording.storage_key.is_not(None), Recording.file_size), else_=0)
    by_status: dict[RecordingStatus, int] = {}
    used_bytes = 0
    for row in db.session.execute(
        select(Recording.status, func.count().label("n"), func.sum(kept).label("bytes"))
        .where(*mine)
        .group_by(Recording.status)
    ):
        by_status[row.status] = row.n
        used_bytes += int(row.bytes)
    midnight = now().replace(hour=0, minute=0, second=0, microsecond=0)
    last = db.session.scalar(select(func.max(Recording.completed_at)).where(*mine))
    numbers: dict[str, Any] = {
        "recordings": {
            "total": sum(by_status.values()),
            "completed": by_status.get(RecordingStatus.COMPLETED, 0),
            "processing": by_status.get(RecordingStatus.PROCESSING, 0)
            + by_status.get(RecordingStatus.SUMMARIZING, 0),
            "pending": by_status.get(RecordingStatus.PENDING, 0),
            "failed": by_status.get(RecordingStatus.FAILED, 0),
        },
        "storage": {"used_bytes": used_bytes, "used_human": human_bytes(used_bytes)},
        "queue": _queue(user_id),
        **_budgets(user_id),
        "activity": {
            "recordings_today": db.session.scalar(
                select(func.count()).select_from(Recording).where(*mine, Recording.created_at >= midnight)
            ),
            "last_transcription": isoformat_z(last) if last else None,
            "last_transcription_human": human_age(last, now()),
        },
    }
    if user_id is None:
        numbers["users"] = _users()
    return numbers


def _queue(user_id: int | None) -> dict[str, int]:
    mine = [] if user_id is None else [Job.user_id == user_id]
    # A job that pauses before its next attempt has been waiting only since the end of the pause.
    since = func.min(func.coalesce(Job.not_before, Job.queued_at))
    by_state = {
        row.state: row
        for row in db.session.execute(
            select(Job.state, func.count().label("n"), since.label("since"))
            .where(*mine, Job.state.in_((JobState.QUEUED, JobState.RUNNING)))
            .group_by(Job.state)
        )
    }
    queued, running = by_state.get(JobState.QUEUED), by_state.get(JobState.RUNNING)
    return {
        "jobs_queued": queued.n if queued else 0,
        "jobs_processing": running.n if running else 0,
        "oldest_waiting_seconds": max(0, int((now() - queued.since).total_seconds())) if queued else 0,
    }


def _budgets(user_id: int | None) -> dict[str, Any]:
    tokens, seconds = usage.this_month(user_id)
    token_budget = second_budget = None
    if user_id is not None:
        limits = budgets.limits_of(db.session.get_one(User, user_id))
        token_budget, second_budget = limits.tokens, limits.seconds
    price = system_settings.get("cost_per_transcribed_minute")
    return {
        "tokens": {
            "used_this_month": tokens,
            "budget": token_budget,
            "percentage": _percentage(tokens, token_budget),
        },
        "transcription": {
            "used_this_month_seconds": int(seconds),
            "used_this_month_minutes": int(seconds) // 60,
            "budget_seconds": second_budget,
            "budget_minutes": None if second_budget is None else second_budget // 60,
            "percentage": _percentage(seconds, second_budget),
            "estimated_cost": round(seconds / 60 * price, 4),
        },
    }


def _percentage(used: float, budget: int | None) -> float:
    # Never null: dashboards print NaN for it.
    return round(100.0 * used / budget, 1) if budget else 0.0


def _users() -> dict[str, int]:
    active = select(func.count(func.distinct(Recording.user_id))).where(
        Recording.created_at >= now() - _ACTIVE_WITHIN
    )
    return {
        "total": db.session.scalar(select(func.count()).select_from(User)) or 0,
        "active": db.session.scalar(active) or 0,
    }


def human_age(moment: datetime | None, at: datetime) -> str:
    """Return the age of a moment in its largest whole unit, such as `2 hours ago`; `never` for None."""
    if moment is None:
        return "never"
    passed = int((at - moment).total_seconds())
    for unit, seconds in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if passed >= seconds:
            number = passed // seconds
            return f"{number} {unit}{'' if number == 1 else 's'} ago"
    return "just now"


def human_bytes(size: float) -> str:
    """Return a size in steps of 1024 with one decimal, such as `9.4 GB`."""
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 1024:  # noqa: PLR2004 - the step
            return f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} PB"
