"""Rows of jobs that wait, and the notification that follows them. What a recording shows meanwhile is the pipeline's business."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from speakr.backends import get_backends
from speakr.db import Promise, after_commit, db
from speakr.domain.clock import now
from speakr.domain.jobs import ACTIVE, JobKind
from speakr.models import Job, Recording


def _ring(kind: JobKind, job_id: int, ring_count: int) -> Promise:
    def notify() -> None:
        get_backends().notifier.notify(kind, job_id, ring_count)

    return notify


def ring_later(job: Job) -> None:
    """Ring for a job once the current transaction is committed."""
    after_commit(_ring(job.kind, job.id, job.ring_count))


def active(recording_id: int, kind: JobKind) -> Job | None:
    """Return the queued or running job of this kind on a recording; the table allows one."""
    return db.session.scalar(
        select(Job).where(Job.recording_id == recording_id, Job.kind == kind, Job.state.in_(ACTIVE))
    )


def add(recording: Recording, kind: JobKind, options: Mapping[str, Any] | None = None) -> tuple[Job, bool]:
    """Queue work on a recording and notify a worker; return the job and whether it is new.

    While the same kind is queued or running on the recording, that job is returned instead.
    """
    existing = active(recording.id, kind)
    if existing is not None:
        return existing, False
    moment = now()
    job = Job(
        recording_id=recording.id,
        user_id=recording.user_id,
        kind=kind,
        options=dict(options or {}),
        queued_at=moment,
        rung_at=moment,
        ring_count=1,
        message="Waiting for a worker",
    )
    try:
        with db.session.begin_nested():
            db.session.add(job)
    except IntegrityError:
        # Somebody queued the same in this very moment.
        existing = active(recording.id, kind)
        if existing is None:
            raise
        return existing, False
    ring_later(job)
    return job, True
