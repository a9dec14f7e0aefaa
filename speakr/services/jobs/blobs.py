"""Blobs that a job needs only while it is active. Only this module reserves and releases them."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, Select, delete, select

from speakr.db import after_commit, db
from speakr.domain.jobs import ACTIVE
from speakr.models import Job, JobBlob, Recording
from speakr.services.system import unwanted_blobs
from speakr.storage.base import new_key


def reserve(job_id: int, prefix: str) -> str:
    """Return the key of a job's blob with this prefix; the first call creates the key.

    Call this in the transaction that checks the claim, before writing the first byte. A worker that takes over the job
    then fills the same blob, and `drop` deletes it.
    """
    known = db.session.scalar(
        select(JobBlob.storage_key).where(
            JobBlob.job_id == job_id, JobBlob.storage_key.startswith(f"{prefix}/")
        )
    )
    if known is not None:
        return known
    key = new_key(prefix)
    db.session.add(JobBlob(storage_key=key, job_id=job_id))
    return key


def adopt(job_id: int, key: str) -> None:
    """Give a new job a blob that is already written, in the transaction that inserts the job."""
    db.session.add(JobBlob(storage_key=key, job_id=job_id))


def hand_over(job_id: int, key: str) -> None:
    """Take a blob from its job, in the transaction that stores the key elsewhere: `drop` does not delete it then."""
    db.session.execute(
        delete(JobBlob).where(JobBlob.job_id == job_id, JobBlob.storage_key == key),
        execution_options={"synchronize_session": False},
    )


def drop(which: ColumnElement[bool]) -> None:
    """Release the blobs of all matching jobs; they are deleted after the commit."""
    of_these = JobBlob.job_id.in_(select(Job.id).where(which))
    statement = delete(JobBlob).where(of_these).returning(JobBlob.storage_key)
    keys = db.session.scalars(statement, execution_options={"synchronize_session": False}).all()
    if keys:
        unwanted_blobs.add_all(keys)
        after_commit(_clear)


def drop_late(job_id: int, key: str) -> None:
    """Release a blob that was written after its job had ended, when `drop` could not see it.

    A blob that was handed over to a recording stays.
    """
    state = db.session.scalar(select(Job.state).where(Job.id == job_id))
    is_kept = select(Recording.id).where(Recording.storage_key == key)
    if state not in ACTIVE and db.session.scalar(is_kept) is None:
        unwanted_blobs.add(key)


def in_use(keys: Collection[str]) -> Select[str]:
    """Select those keys that an active job needs."""
    return (
        select(JobBlob.storage_key)
        .join(Job, Job.id == JobBlob.job_id)
        .where(JobBlob.storage_key.in_(keys), Job.state.in_(ACTIVE))
    )


def _clear() -> None:
    unwanted_blobs.clear()
