"""Jobs as users request them: submit, read, list, cancel and retry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select, update

from speakr.db import db
from speakr.domain.clock import now
from speakr.domain.errors import Conflict, NotFound
from speakr.domain.jobs import ACTIVE, JobState, awaited_kinds, kinds_in_status
from speakr.domain.permissions import Actor, Permission
from speakr.models import Job, Recording, User
from speakr.services import row_locks
from speakr.services.jobs import claims, fairness, queueing
from speakr.services.jobs.kinds import steps_of
from speakr.services.recordings import access


def submit(
    subject: Recording | User, kind: str, options: Mapping[str, Any] | None = None, *, part: str = ""
) -> tuple[Job, bool]:
    """Queue a job and run its `on_queued` step; return the job and whether it is new. Takes the arguments of `add`.

    While a job of this kind is queued or running on the same subject and part, that job is returned instead.
    """
    return _run_queued_step(queueing.add(subject, kind, options, part=part))


def _run_queued_step(queued: tuple[Job, bool]) -> tuple[Job, bool]:
    job, is_new = queued
    if is_new:
        steps_of(job).on_queued(job)
    return job, is_new


def get(actor: Actor, job_id: int, permission: Permission = Permission.VIEW) -> Job:
    """Load one of the actor's jobs, or a job on a recording for which the actor has `permission`."""
    job = db.session.get(Job, job_id)
    if job is None:
        raise NotFound("Job not found")
    if job.user_id != actor.user_id:
        if job.recording_id is None:
            raise NotFound("Job not found")
        try:
            access.get(actor, job.recording_id, permission)
        except NotFound:
            raise NotFound("Job not found") from None
    return job


def list_for(actor: Actor, *, recording_id: int | None, state: JobState | None, limit: int) -> Sequence[Job]:
    """List the actor's own jobs, newest first, or the jobs on one recording that the actor may see."""
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
    """Return the newest job of a recording among the kinds that its status reflects."""
    return db.session.scalar(
        select(Job)
        .where(Job.recording_id == recording_id, Job.kind.in_(kinds_in_status()))
        .order_by(Job.id.desc())
        .limit(1)
    )


def queue_position(recording_id: int) -> int | None:
    """Return the 1-based place of a recording's queued job among all users' jobs, or None if none is queued."""
    return fairness.position(recording_id, awaited_kinds())


def cancel(actor: Actor, job_id: int) -> Job:
    """Cancel a job: a queued one at once, a running one when it next reports."""
    job = get(actor, job_id, Permission.EDIT)
    if job.state not in ACTIVE:
        raise Conflict(f"The job has already {job.state.value}.", code="job_finished")
    return _cancel(job)


def cancel_all_of(user_id: int) -> None:
    """Cancel all active jobs of a user, and lock them until the unit of work ends."""
    active = (
        select(Job).where(Job.user_id == user_id, Job.state.in_(ACTIVE)).order_by(Job.id).with_for_update()
    )
    found = db.session.scalars(active).all()
    row_locks.hold(
        Recording, Recording.id.in_([job.recording_id for job in found if job.recording_id is not None])
    )
    for job in found:
        _cancel(job)


def _cancel(job: Job) -> Job:
    # A queued job ends here. If a worker has claimed it meanwhile, request cancellation instead.
    if not _end_queued(job.id):
        db.session.execute(
            update(Job).where(Job.id == job.id, Job.state == JobState.RUNNING).values(cancel_requested=True)
        )
    if db.session.get(Job, job.id, populate_existing=True) is None:
        raise NotFound("Job not found")  # deleted a moment ago
    if job.state is JobState.CANCELLED:
        steps_of(job).on_cancelled(job)
        claims.clear_away(job)
    return job


def _end_queued(job_id: int) -> bool:
    ended = db.session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state == JobState.QUEUED)
        .values(state=JobState.CANCELLED, finished_at=now(), message="Cancelled", cancel_requested=True)
        .returning(Job.id)
    )
    return ended.first() is not None


def submit_again(job: Job) -> Job:
    """Queue the work of a finished job again, with the same options."""
    fresh, _ = _run_queued_step(queueing.add_again(job))
    return fresh
