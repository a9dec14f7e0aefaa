"""Which job comes next: users take turns, however many jobs each has queued.

A notification says that there is work in a queue; this module says which. A queued job's turn is its place
among its user's own jobs, those that run included: the first job of a user without any has turn 1. A user's short
recordings come before the long ones.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, Subquery, case, func, or_, select

from speakr.backends import get_backends
from speakr.db import db
from speakr.domain.clock import now
from speakr.domain.jobs import KINDS, JobState, Queue
from speakr.models import Job, Recording
from speakr.services.jobs import quarantine

SHORT_SECONDS = 60.0
"""Audio of a job that long ones make way for, even if it is the same user's."""

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)

_CLIP_IS_LATE_AFTER = timedelta(seconds=1)

MIN_SLICE_SECONDS = 10.0
"""Seconds that a job runs before it makes way for one whose turn is no earlier than its own."""


def kinds_of(queue: Queue) -> list[str]:
    """Return the kinds of the jobs in a queue."""
    return [name for name, kind in KINDS.items() if kind.queue is queue]


def queue_of(job_id: int) -> Queue | None:
    """Return the queue of a job, or None if it is gone or its kind is unknown."""
    kind = KINDS.get(db.session.scalar(select(Job.kind).where(Job.id == job_id)) or "")
    return None if kind is None else kind.queue


def has_startable(queue: Queue) -> bool:
    """Tell whether a due job of a queue may start as far as its user's limit goes."""
    turns = _startable(_turns(kinds_of(queue)).subquery())
    return db.session.scalar(turns.limit(1)) is not None


def next_due(queue: Queue, host: str) -> int | None:
    """Return the id of the due job whose turn it is on a machine, or None if there is none."""
    if quarantine.is_closed_for_others(host):
        return None
    turns = _turns(kinds_of(queue)).where(quarantine.may_start(host)).subquery()
    chosen: int | None = db.session.scalar(_startable(turns).order_by(*_order(turns.c)).limit(1))
    return chosen


def _startable(turns: Subquery) -> Select[Any]:
    most = get_backends().settings.max_jobs_per_user
    query = select(turns.c.id)
    return query.where(turns.c.running < most) if most else query


def _order(turns: Any) -> tuple[Any, ...]:
    """Return the columns by which turns follow each other: of two users, the one who was served longer ago is first."""
    return turns.turn, turns.served_at, turns.queued_at, turns.id


def position(recording_id: int, kinds: Collection[str]) -> int | None:
    """Return the 1-based place of a recording's queued job, or None if none is queued."""
    turns = _turns(kinds, only_due=False).cte("turns")
    ranked = select(
        turns.c.recording_id, func.row_number().over(order_by=_order(turns.c)).label("place")
    ).subquery()
    query = select(func.min(ranked.c.place)).where(ranked.c.recording_id == recording_id)
    place: int | None = db.session.scalar(query)
    return place


def must_make_way(job_id: int, user_id: int, queue: Queue, *, ran_seconds: float) -> bool:
    """Tell whether a running job should let another one run first; ask between two pieces of work."""
    kinds = kinds_of(queue)
    running = db.session.scalar(
        select(func.count()).where(Job.user_id == user_id, Job.state == JobState.RUNNING, Job.kind.in_(kinds))
    )
    turns = _turns(kinds).subquery()
    is_earlier = turns.c.turn < (running or 1)
    if ran_seconds >= MIN_SLICE_SECONDS:
        is_earlier = or_(
            is_earlier,
            (turns.c.turn == (running or 1)) & (turns.c.user_id != user_id),
            (turns.c.user_id == user_id) & (turns.c.audio_duration <= SHORT_SECONDS),
        )
    found = select(turns.c.id).where(is_earlier, turns.c.id != job_id).limit(1)
    return db.session.scalar(found) is not None


def is_clip_late() -> bool:
    """Tell whether a request waits for a clip that no idle worker has taken, so that recordings make way for it."""
    found = select(Job.id).where(
        Job.state == JobState.QUEUED,
        Job.kind.in_(kinds_of(Queue.CLIPS)),
        Job.queued_at < now() - _CLIP_IS_LATE_AFTER,
        or_(Job.not_before.is_(None), Job.not_before <= now()),
    )
    return db.session.scalar(found.limit(1)) is not None


def _turns(kinds: Collection[str], *, only_due: bool = True) -> Select[Any]:
    """Select the queued jobs with their turns."""
    running = (
        select(Job.user_id, func.count().label("count"))
        .where(Job.state == JobState.RUNNING, Job.kind.in_(kinds))
        .group_by(Job.user_id)
        .subquery()
    )
    count = func.coalesce(running.c.count, 0)
    is_long = case((Recording.audio_duration > SHORT_SECONDS, 1), else_=0)
    place = func.row_number().over(partition_by=Job.user_id, order_by=(is_long, Job.queued_at, Job.id))
    served = _served(kinds)
    query = (
        select(
            Job.id,
            Job.user_id,
            Job.recording_id,
            Job.queued_at,
            Recording.audio_duration,
            count.label("running"),
            func.coalesce(served.c.at, _NEVER).label("served_at"),
            (place + count).label("turn"),
        )
        .outerjoin(running, running.c.user_id == Job.user_id)
        .join(served, served.c.user_id == Job.user_id)
        .outerjoin(Recording, Recording.id == Job.recording_id)
        .where(Job.state == JobState.QUEUED, Job.kind.in_(kinds))
    )
    return query.where(or_(Job.not_before.is_(None), Job.not_before <= now())) if only_due else query


def _served(kinds: Collection[str]) -> Subquery:
    """Select the users who have queued jobs, with the time at which one of their jobs was last claimed."""
    waiting = (
        select(Job.user_id).where(Job.state == JobState.QUEUED, Job.kind.in_(kinds)).distinct().subquery()
    )
    claimed = Job.__table__.alias("claimed")
    last = (
        select(func.max(claimed.c.claimed_at))
        .where(claimed.c.user_id == waiting.c.user_id)
        .correlate(waiting)
        .scalar_subquery()
    )
    return select(waiting.c.user_id, last.label("at")).subquery()
