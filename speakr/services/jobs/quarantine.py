"""Decide what becomes of a job whose workers die: pause, then quarantine, then failure.

Few deaths are the fault of the file. A process that is killed from outside (SIGKILL; the kernel's answer to a lack of memory looks
the same) says little, and the deaths of several jobs' horses within a minute say nothing about any of them. So a suspect goes to
quarantine, where it runs alone on its machine and with a memory limit. Only deaths in quarantine end it.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Any

import structlog
from sqlalchemy import ColumnElement, and_, exists, func, or_, select

from speakr.db import db
from speakr.domain.clock import now
from speakr.domain.jobs import (
    CRASH_PAUSES_SECONDS,
    MAX_BLAME_ALONE,
    MAX_CRASHES_WITHOUT_PROGRESS,
    MAX_LOSSES_ALONE,
    MAX_LOSSES_WITHOUT_PROGRESS,
    ChunkState,
    JobState,
)
from speakr.models import Job, JobChunk

logger = structlog.get_logger(__name__)

_SAME_TIME = timedelta(minutes=1)
"""Deaths of several jobs' horses so close together have a cause that they share."""

_WAIT_FOR_OTHERS = timedelta(minutes=2)
"""A job in quarantine that waits longer for an idle machine starts all the same."""

_ALONE_FOR = timedelta(minutes=1)
"""A job in quarantine that has lived for so long shares the machine again."""


class Cause(StrEnum):
    """How a work horse ended. `FAULT`: by a signal or an exit of its own (SIGSEGV, SIGABRT). `KILLED`: by another process."""

    FAULT = "fault"
    KILLED = "killed"
    VANISHED = "vanished"
    """Its whole worker is gone: a deploy or a power cut."""


def count(job: Job, cause: Cause) -> None:
    """Count a death against a job that was just requeued: set its pause, and put it into quarantine if it is a suspect."""
    moment, step = now(), f"{job.progress} {job.message}"
    if cause is Cause.VANISHED:
        job.losses += 1
    elif job.quarantined_at is not None:
        job.blame_alone += 2 if cause is Cause.FAULT else 1
    elif _has_company(job, moment):
        job.losses += 1
    elif cause is Cause.FAULT and job.died_at_step == step:
        job.crashes = max(job.crashes + 1, MAX_CRASHES_WITHOUT_PROGRESS)
    else:
        job.crashes += 1
    if cause is not Cause.VANISHED:
        job.died_at, job.died_at_step = moment, step
        pause = CRASH_PAUSES_SECONDS[
            min(job.crashes + job.losses + job.blame_alone, len(CRASH_PAUSES_SECONDS)) - 1
        ]
        job.not_before = job.rung_at = moment + timedelta(seconds=pause)
    if job.crashes >= MAX_CRASHES_WITHOUT_PROGRESS or job.losses >= MAX_LOSSES_WITHOUT_PROGRESS:
        suspect(job)


def suspect(job: Job) -> None:
    """Put a job into quarantine until it ends."""
    if job.quarantined_at is None:
        job.quarantined_at = now()
        logger.warning("job_quarantined", job_id=job.id, recording_id=job.recording_id)


def is_hopeless(job: Job) -> bool:
    """Tell whether a job has ended its worker too often in quarantine."""
    return job.blame_alone >= MAX_BLAME_ALONE or job.losses >= MAX_LOSSES_WITHOUT_PROGRESS + MAX_LOSSES_ALONE


def forgiven() -> dict[str, Any]:
    """Return the column values after progress. A job in quarantine stays there."""
    return {"crashes": 0, "losses": 0, "blame_alone": 0}


def _has_company(job: Job, moment: Any) -> bool:
    others = select(Job.id).where(Job.died_at > moment - _SAME_TIME, Job.id != job.id)
    return db.session.scalar(others.limit(1)) is not None


def is_closed_for_others(host: str) -> bool:
    """Tell whether a job in quarantine runs on this machine, so that no other job may start there now."""
    alone = select(Job.id).where(
        _runs_on(host), Job.quarantined_at.is_not(None), Job.claimed_at > now() - _ALONE_FOR
    )
    return db.session.scalar(alone.limit(1)) is not None


def may_start(host: str) -> ColumnElement[bool]:
    """Return the condition for queued jobs that may start on this machine: one in quarantine waits until it is idle."""
    due_since = func.coalesce(Job.not_before, Job.quarantined_at)
    running, helped = Job.__table__.alias("running"), JobChunk.__table__.alias("helped")
    is_busy = exists().where(
        running.c.state == JobState.RUNNING, running.c.worker.startswith(f"{host}-", autoescape=True)
    )
    is_helping = exists().where(
        helped.c.state == ChunkState.RUNNING, helped.c.worker.startswith(f"{host}-", autoescape=True)
    )
    is_idle = ~is_busy & ~is_helping
    return or_(Job.quarantined_at.is_(None), is_idle, due_since < now() - _WAIT_FOR_OTHERS)


def _runs_on(host: str) -> ColumnElement[bool]:
    return and_(Job.state == JobState.RUNNING, Job.worker.startswith(f"{host}-", autoescape=True))
