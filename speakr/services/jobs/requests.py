"""What users may ask of jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import func, or_, select, update

from speakr.db import db
from speakr.domain.clock import now
from speakr.domain.errors import Conflict, NotFound
from speakr.domain.jobs import ACTIVE, IN_THE_BACKGROUND, JobKind, JobState
from speakr.domain.permissions import Actor, Permission
from speakr.models import Job, Recording
from speakr.services import pipeline
from speakr.services.jobs import claims, queueing
from speakr.services.recordings import access


def submit(recording: Recording, kind: JobKind, options: Mapping[str, Any] | None = None) -> tuple[Job, bool]:
    """Queue work on a recording and show it as waiting; return the job and whether it is new.

    While the same kind is queued or running on the recording, that job is returned instead.
    """
    job, is_new = queueing.add(recording, kind, options)
    if is_new:
        pipeline.on_queued(recording, kind)
    return job, is_new


def get(actor: Actor, job_id: int, permission: Permission = Permission.VIEW) -> Job:
    """Load a job on a recording that the actor may see, or change."""
    job = db.session.get(Job, job_id)
    if job is None:
        raise NotFound("Job not found")
    if job.user_id != actor.user_id:
        try:
            access.get(actor, job.recording_id, permission)
        except NotFound:
            raise NotFound("Job not found") from None
    return job


def list_for(actor: Actor, *, recording_id: int | None, state: JobState | None, limit: int) -> Sequence[Job]:
    """List the jobs on the actor's recordings, newest first; or those on one recording that the actor may see."""
    query = select(Job).order_by(Job.id.desc()).limit(limit)
    if recording_id is None:
        query = query.where(Job.user_id == actor.user_id)
    else:
        seen = select(Recording.id).where(Recording.id == recording_id, access.visible_to(actor))
        query = query.where(Job.recording_id.in_(seen))
    if state is not None:
        query = query.where(Job.state == state)
    return db.session.scalars(query).all()


def newest(recording_id: int) -> Job | None:
    """Return the youngest job of a recording that its status is about."""
    return db.session.scalar(
        select(Job)
        .where(Job.recording_id == recording_id, Job.kind.not_in(IN_THE_BACKGROUND))
        .order_by(Job.id.desc())
        .limit(1)
    )


def queue_position(recording_id: int) -> int | None:
    """Return the 1-based rank of this recording's queued job among everybody's, or None if none is queued."""
    mine = db.session.execute(
        select(Job.queued_at, Job.id)
        .where(
            Job.recording_id == recording_id,
            Job.state == JobState.QUEUED,
            Job.kind.not_in(IN_THE_BACKGROUND),
        )
        .order_by(Job.queued_at, Job.id)
        .limit(1)
    ).first()
    if mine is None:
        return None
    return db.session.scalar(
        select(func.count())
        .select_from(Job)
        .where(
            Job.state == JobState.QUEUED,
            Job.kind != JobKind.EMBED,  # everybody else goes first
            or_(Job.queued_at < mine.queued_at, (Job.queued_at == mine.queued_at) & (Job.id <= mine.id)),
        )
    )


def cancel(actor: Actor, job_id: int) -> Job:
    """Stop a job: at once while it waits, at its next breath while it runs."""
    job = get(actor, job_id, Permission.EDIT)
    if job.state not in ACTIVE:
        raise Conflict(f"The job has already {job.state.value}.", code="job_finished")
    # A waiting job ends here. Only if a worker was faster is it asked to stop.
    if not _end_waiting(job.id):
        db.session.execute(
            update(Job).where(Job.id == job.id, Job.state == JobState.RUNNING).values(cancel_requested=True)
        )
    db.session.refresh(job)
    if job.state is JobState.CANCELLED:
        pipeline.on_cancelled(job)
        claims.clear_away(job)
    return job


def _end_waiting(job_id: int) -> bool:
    ended = db.session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state == JobState.QUEUED)
        .values(state=JobState.CANCELLED, finished_at=now(), message="Cancelled", cancel_requested=True)
        .returning(Job.id)
    )
    return ended.first() is not None


def retry(actor: Actor, job_id: int, may_edit: Callable[[int], Recording]) -> Job:
    """Queue a failed or cancelled job's work again, with the same options.

    `may_edit` loads the recording for the actor, or raises.
    """
    job = get(actor, job_id)
    recording = may_edit(job.recording_id)
    if job.state not in {JobState.FAILED, JobState.CANCELLED}:
        raise Conflict("Only a failed or cancelled job can be retried.", code="job_not_failed")
    fresh, _ = submit(recording, job.kind, job.options)
    return fresh
