"""Insert rows of queued jobs and send their notifications. The job's kind adds its own steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from speakr.backends import get_backends
from speakr.db import Promise, after_commit, db
from speakr.domain.clock import now
from speakr.domain.errors import NotFound
from speakr.domain.jobs import KINDS, Subject, dedupe_key
from speakr.models import Job, Recording, User
from speakr.models.jobs import IS_ACTIVE
from speakr.services import row_locks


def _notification(kind: str, job_id: int, ring_count: int) -> Promise:
    def notify() -> None:
        get_backends().notifier.notify(kind, job_id, ring_count)

    return notify


def ring_later(job: Job) -> None:
    """Send the notification of a job after the current transaction commits."""
    after_commit(_notification(job.kind, job.id, job.ring_count))


def ring_again(job: Job) -> None:
    """Notify a worker of a queued job once more, after the current transaction is committed."""
    job.ring_count += 1
    job.rung_at = now()
    ring_later(job)


def active(key: str) -> Job | None:
    """Return the queued or running job with this dedupe key; the table allows one."""
    return db.session.scalar(select(Job).where(Job.dedupe_key == key, IS_ACTIVE))


def active_on(recording: Recording, kind: str) -> Job | None:
    """Return the queued or running job of this kind on a whole recording."""
    return active(dedupe_key(kind, recording.user_id, recording.id))


def add(
    subject: Recording | User, kind: str, options: Mapping[str, Any] | None = None, *, part: str = ""
) -> tuple[Job, bool]:
    """Queue a job and notify a worker; return the job and whether it is new.

    subject: the recording to work on, or the user for whom work without a recording is done.
    part: distinguishes jobs of one kind on one subject (at most 60 characters).

    While a job of this kind is queued or running on the same subject and part, that job is returned instead.
    """
    if isinstance(subject, Recording):
        is_about, recording_id, user_id = Subject.RECORDING, subject.id, subject.user_id
    else:
        is_about, recording_id, user_id = Subject.NOTHING, None, subject.id
    if KINDS[kind].subject is not is_about:
        raise ValueError(f"{kind} is work on {KINDS[kind].subject}, not on {is_about}")
    return _insert(
        Job(
            recording_id=recording_id,
            user_id=user_id,
            kind=kind,
            dedupe_key=dedupe_key(kind, user_id, recording_id, part),
            options=dict(options or {}),
        )
    )


def add_again(job: Job) -> tuple[Job, bool]:
    """Queue the work of an ended job again, as a new job; the result is that of `add`."""
    return _insert(
        Job(
            recording_id=job.recording_id,
            user_id=job.user_id,
            kind=job.kind,
            dedupe_key=job.dedupe_key,
            options=dict(job.options),
        )
    )


def _insert(job: Job) -> tuple[Job, bool]:
    # The recording first: otherwise a worker that holds it could wait for this job's key, and this job for the recording.
    if job.recording_id is not None and not row_locks.hold(Recording, Recording.id == job.recording_id):
        raise NotFound("Recording not found")  # deleted a moment ago
    existing = active(job.dedupe_key)
    if existing is not None:
        return existing, False
    job.queued_at = job.rung_at = now()
    job.ring_count, job.message = 1, "Waiting for a worker"
    try:
        with db.session.begin_nested():
            db.session.add(job)
    except IntegrityError:
        # A concurrent request queued the same job.
        existing = active(job.dedupe_key)
        if existing is None:
            raise
        return existing, False
    ring_later(job)
    return job, True
