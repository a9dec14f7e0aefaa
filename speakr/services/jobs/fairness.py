"""Which job comes next: users take turns, however many jobs each has queued.

A notification says that there is work in a queue; this module says which. A queued job's turn is its place
among its user's own jobs, those that run included: the first job of a user without any has turn 1.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Select, func, or_, select

from speakr.backends import get_backends
from speakr.db import db
from speakr.domain.clock import now
from speakr.domain.jobs import KINDS, JobState, Queue
from speakr.models import Job, Recording
from speakr.services.jobs import quarantine

SHORT_SECONDS = 60.0
"""Audio of a job that long ones make way for, even if it is the same user's."""

MIN_SLICE_SECONDS = 10.0
"""Seconds that a job runs before it makes way for one whose turn is no earlier than its own."""


def kinds_of(queue: Queue) -> list[str]:
    """Return the kinds of the jobs in a queue."""
    return [name for name, kind in KINDS.items() if kind.queue is queue]


def queue_of(job_id: int) -> Queue | None:
    """Return the queue of a job, or None if it is gone or its kind is unknown."""
    kind = KINDS.get(db.session.scalar(select(Job.kind).where(Job.id == job_id)) or "")
    return None if kind is None else kind.queue


def next_due(queue: Queue, host: str) -> int | None:
    """Return the id of the due job whose turn it is on a machine, or None if there is none."""
    if quarantine.is_closed_for_others(host):
        return None
    turns = _turns(kinds_of(queue)).where(quarantine.may_start(host)).subquery()
    query = select(turns.c.id).order_by(turns.c.turn, turns.c.queued_at, turns.c.id).limit(1)
    most = get_backends().settings.max_jobs_per_user
    if most:
        query = query.where(turns.c.running < most)
    return db.session.scalar(query)


def position(recording_id: int, kinds: Collection[str]) -> int | None:
    """Return the 1-based place of a recording's queued job, or None if none is queued."""
    turns = _turns(kinds, only_due=False).cte("turns")
    mine = db.session.execute(
        select(turns.c.turn, turns.c.queued_at, turns.c.id)
        .where(turns.c.recording_id == recording_id)
        .order_by(turns.c.turn, turns.c.queued_at, turns.c.id)
        .limit(1)
    ).first()
    if mine is None:
        return None
    is_before = or_(
        turns.c.turn < mine.turn,
        (turns.c.turn == mine.turn) & (turns.c.queued_at < mine.queued_at),
        (turns.c.turn == mine.turn) & (turns.c.queued_at == mine.queued_at) & (turns.c.id <= mine.id),
    )
    return db.session.scalar(select(func.count()).select_from(turns).where(is_before))


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


def _turns(kinds: Collection[str], *, only_due: bool = True) -> Select[Any]:
    """Select the queued jobs with their turns."""
    running = (
        select(Job.user_id, func.count().label("count"))
        .where(Job.state == JobState.RUNNING, Job.kind.in_(kinds))
        .group_by(Job.user_id)
        .subquery()
    )
    count = func.coalesce(running.c.count, 0)
    place = func.row_number().over(partition_by=Job.user_id, order_by=(Job.queued_at, Job.id))
    query = (
        select(
            Job.id,
            Job.user_id,
            Job.recording_id,
            Job.queued_at,
            Recording.audio_duration,
            count.label("running"),
            (place + count).label("turn"),
        )
        .outerjoin(running, running.c.user_id == Job.user_id)
        .outerjoin(Recording, Recording.id == Job.recording_id)
        .where(Job.state == JobState.QUEUED, Job.kind.in_(kinds))
    )
    return query.where(or_(Job.not_before.is_(None), Job.not_before <= now())) if only_due else query
