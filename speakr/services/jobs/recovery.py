"""Recover from dead processes: requeue their work, quarantine crashing jobs, repeat lost notifications.

All functions may run in several processes at once and any number of times.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import ColumnElement, func, or_, select, update

from speakr import conflicts
from speakr.backends import get_backends
from speakr.db import db, release, unit_of_work
from speakr.domain.clock import now
from speakr.domain.errors import PermanentJobError
from speakr.domain.jobs import (
    ACTIVE,
    MAX_CRASHES_WITHOUT_PROGRESS,
    MAX_LOSSES_ALONE,
    MAX_LOSSES_WITHOUT_PROGRESS,
    ChunkState,
    JobState,
    Queue,
)
from speakr.models import Job, JobChunk
from speakr.services import row_locks
from speakr.services.jobs import fairness, quarantine
from speakr.services.jobs.claims import end, lease_end
from speakr.services.jobs.quarantine import Cause
from speakr.services.jobs.queueing import ring_later

logger = structlog.get_logger(__name__)

_MISSING_AFTER = timedelta(seconds=3)
_LOOK_AT = 50


def renew(worker: str) -> None:
    """Renew the leases of all claims of a live work horse. Its parent process calls this."""
    until = lease_end()
    with unit_of_work() as session:
        session.execute(
            update(Job)
            .where(Job.worker == worker, Job.state == JobState.RUNNING)
            .values(lease_expires_at=until)
        )
        session.execute(
            update(JobChunk)
            .where(JobChunk.worker == worker, JobChunk.state == ChunkState.RUNNING)
            .values(lease_expires_at=until)
        )


def horse_died(worker: str, cause: Cause = Cause.KILLED) -> None:
    """Requeue the claims of a work horse that died. Its parent process, which has seen the death, calls this."""
    _requeue_claims(Job.worker == worker, JobChunk.worker == worker, cause=cause)


def worker_died(worker: str) -> None:
    """Requeue the claims of all work horses of a worker that was killed and could not do so itself."""
    name = f"{worker}."
    _requeue_claims(
        Job.worker.startswith(name, autoescape=True),
        JobChunk.worker.startswith(name, autoescape=True),
        cause=Cause.VANISHED,
    )


def hand_back(worker: str) -> None:
    """Requeue the claims of a work horse that was asked to stop. It did not fail, so no counter grows."""
    _requeue_claims(Job.worker == worker, JobChunk.worker == worker, cause=None)


def requeue_expired() -> None:
    """Requeue claims with expired leases: the worker and its parent process are dead."""
    moment = now()
    _requeue_claims(Job.lease_expires_at < moment, JobChunk.lease_expires_at < moment, cause=Cause.VANISHED)


def _requeue_claims(
    of_jobs: ColumnElement[bool], of_chunks: ColumnElement[bool], *, cause: Cause | None
) -> None:
    held_jobs = db.session.scalars(select(Job.id).where(Job.state == JobState.RUNNING, of_jobs)).all()
    held_chunks = db.session.execute(
        select(JobChunk.id, JobChunk.job_id).where(JobChunk.state == ChunkState.RUNNING, of_chunks)
    ).all()
    # Chunks first, each in its own transaction: a chunk with too many crashes ends its job, which is then not requeued.
    for chunk_id, job_id in held_chunks:
        # The death of an owner counts once, on the job.
        of_helper = None if job_id in held_jobs else cause
        conflicts.in_unit(partial(_free_chunk, chunk_id, of_chunks, of_helper))
    for job_id in held_jobs:
        conflicts.in_unit(partial(_requeue, job_id, of_jobs, cause))


def _free_chunk(chunk_id: int, still: ColumnElement[bool], cause: Cause | None) -> None:
    # The job first, in the order of all that changes both.
    row_locks.hold(Job, Job.id.in_(select(JobChunk.job_id).where(JobChunk.id == chunk_id)))
    counter = {None: None, Cause.VANISHED: "losses"}.get(cause, "crashes")
    chunk = db.session.scalar(
        update(JobChunk)
        .where(JobChunk.id == chunk_id, JobChunk.state == ChunkState.RUNNING, still)
        .values(
            {
                "state": ChunkState.PENDING,
                "worker": None,
                "lease_expires_at": None,
                **({counter: getattr(JobChunk, counter) + 1} if counter else {}),
            }
        )
        .returning(JobChunk)
    )
    if chunk is None:
        return
    logger.warning("chunk_taken_back", job_id=chunk.job_id, position=chunk.position, why=cause)
    job = db.session.get(Job, chunk.job_id, populate_existing=True)
    if job is None or job.state not in ACTIVE:
        return
    # For helpers, who die with a chunk and not with the job, whose owner makes progress elsewhere. In quarantine there are
    # none, and the deaths of the owner decide.
    if (
        chunk.crashes >= MAX_CRASHES_WITHOUT_PROGRESS + MAX_LOSSES_ALONE
        or chunk.losses >= MAX_LOSSES_WITHOUT_PROGRESS + MAX_LOSSES_ALONE
    ):
        _give_up(job)
    elif chunk.crashes >= MAX_CRASHES_WITHOUT_PROGRESS or chunk.losses >= MAX_LOSSES_WITHOUT_PROGRESS:
        quarantine.suspect(job)


def _requeue(job_id: int, still: ColumnElement[bool], cause: Cause | None) -> None:
    moment = now()
    job = db.session.scalar(
        update(Job)
        .where(Job.id == job_id, Job.state == JobState.RUNNING, still)
        .values(
            state=JobState.QUEUED,
            worker=None,
            lease_expires_at=None,
            rung_at=moment,
            ring_count=Job.ring_count + 1,
        )
        .returning(Job)
        .execution_options(populate_existing=True)
    )
    if job is None:
        return
    if cause is not None:
        quarantine.count(job, cause)
    job.message = "Resuming after an interruption"
    logger.warning("job_taken_back", job_id=job.id, why=cause, crashes=job.crashes, losses=job.losses)
    if quarantine.is_hopeless(job):
        _give_up(job)
    elif job.not_before is None or job.not_before <= moment:
        ring_later(job)


def _give_up(job: Job) -> None:
    logger.error("job_given_up", job_id=job.id, recording_id=job.recording_id)
    end(
        job,
        JobState.FAILED,
        PermanentJobError(
            "Processing this recording has crashed the worker several times; it was stopped so that others "
            "can continue."
            if job.recording_id is not None
            else "This work has crashed the worker several times; it was stopped so that others can continue.",
            code="worker_crashed",
        ),
    )


def request_helpers() -> None:
    """Notify idle workers of a job with pending chunks, whose helpers may have died."""
    running = func.count().filter(JobChunk.state == ChunkState.RUNNING)
    waiting = func.count().filter(JobChunk.state == ChunkState.PENDING)
    job = db.session.execute(
        select(Job.id, Job.fence, running.label("running"), waiting.label("waiting"))
        .join(JobChunk, JobChunk.job_id == Job.id)
        .where(Job.state == JobState.RUNNING, Job.quarantined_at.is_(None))
        .group_by(Job.id, Job.fence)
        .having(waiting > 0)
        .order_by(Job.id)
        .limit(1)
    ).first()
    release()
    if job is None:
        return
    idle = get_backends().settings.worker_count - max(job.running, 1)  # the owner may be between two chunks
    if idle > 0 and not get_backends().notifier.depth():
        get_backends().notifier.notify_helpers(job.id, job.fence, min(idle, job.waiting))


def notify_again() -> int:
    """Notify again of due jobs whose notification is missing from the queues; return the number of jobs.

    A notification says no more than that there is work, so a few at a time are enough; none while no user may start one.
    """
    moment = now()
    is_due = or_(Job.not_before.is_(None), Job.not_before <= moment)
    due_kinds = set(
        db.session.scalars(select(Job.kind).where(Job.state == JobState.QUEUED, is_due).distinct())
    )
    if not due_kinds:  # usual on a server at rest, which asks every two seconds
        return 0
    # Other kinds are for workers of a newer version.
    kinds = [
        kind
        for queue in Queue
        if due_kinds.intersection(fairness.kinds_of(queue)) and fairness.has_startable(queue)
        for kind in fairness.kinds_of(queue)
    ]
    waiting: Sequence[Any] = db.session.execute(
        select(Job.kind, Job.id, Job.ring_count)
        .where(
            Job.state == JobState.QUEUED,
            Job.kind.in_(kinds),
            is_due,
            or_(Job.rung_at.is_(None), Job.rung_at < moment - _MISSING_AFTER, Job.not_before >= Job.rung_at),
        )
        .order_by(Job.queued_at, Job.id)
        .limit(_LOOK_AT)
    ).all()
    lost = set(get_backends().notifier.missing([(row.kind, row.id, row.ring_count) for row in waiting]))
    # Each goes to the front of its queue, so the one that has waited longest comes last.
    for row in reversed(waiting):
        if row.id in lost:
            with unit_of_work():
                _ring_again(row.id, row.ring_count)
    return len(lost)


def _ring_again(job_id: int, ring_count: int) -> None:
    job = db.session.scalar(
        update(Job)
        .where(Job.id == job_id, Job.state == JobState.QUEUED, Job.ring_count == ring_count)
        .values(rung_at=now(), ring_count=Job.ring_count + 1)
        .returning(Job)
    )
    if job is not None:
        ring_later(job)
