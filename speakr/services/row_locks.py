"""The one order in which transactions lock rows, and the functions that lock several rows.

Two transactions that lock the same rows in different orders wait for each other for ever; PostgreSQL then ends one. So
every transaction locks tables in the order of `ORDER`, and rows of one table by ascending id. What it inserts counts from
the row it refers to: a new job locks its recording first.

SQLite has one writer and needs none of this.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import ColumnElement, select

from speakr.db import db
from speakr.domain.errors import ConflictingWrites
from speakr.models import Folder, Job, Recording, Speaker, Tag, User, Webhook

ORDER = (
    "groups",
    "jobs",
    "users",
    "folders",
    "tags",
    "recordings",
    "webhooks",
    "deliveries",
    "uploads",
    "idempotency_keys",
)
"""Tables whose rows several kinds of transactions lock, first to last."""

PARTS: Mapping[str, str] = {
    "speakers": "users",
    "job_chunks": "jobs",
    "job_blobs": "jobs",
    "clips": "jobs",
    "posted_summaries": "jobs",
    "segments": "recordings",
    "recording_speakers": "recordings",
    "recording_tags": "recordings",
    "recording_shares": "recordings",
    "insights": "recordings",
    "transcript_follow_ups": "recordings",
    "webhook_sequences": "deliveries",
}
"""Tables whose rows are locked after the row they are part of, if at all together with it: then at any later time."""

Lockable = type[Folder] | type[Job] | type[Recording] | type[Speaker] | type[Tag] | type[User] | type[Webhook]

_TRIES = 10


def hold(table: Lockable, which: ColumnElement[bool], *, for_deletion: bool = False) -> list[int]:
    """Lock rows until the unit of work ends, by ascending id; return the ids.

    for_deletion: lock out references to the rows too (`FOR UPDATE`, otherwise `FOR NO KEY UPDATE`).
    """
    query = select(table.id).where(which).order_by(table.id)
    return list(db.session.scalars(query.with_for_update(key_share=not for_deletion)))


def hold_with_jobs(which: ColumnElement[bool]) -> list[int]:
    """Lock recordings for deletion, and before them all their jobs, which are deleted with them; return the recordings' ids.

    A job that is queued between the two locks would be locked too late, so both are then released and taken again.
    """
    if db.engine.dialect.name == "sqlite":
        return hold(Recording, which)
    for _ in range(_TRIES):
        with db.session.begin_nested() as attempt:
            jobs = hold(Job, Job.recording_id.in_(select(Recording.id).where(which)), for_deletion=True)
            recordings = hold(Recording, which, for_deletion=True)
            later = select(Job.id).where(Job.recording_id.in_(recordings), Job.id.not_in(jobs)).limit(1)
            if db.session.scalar(later) is None:
                return recordings
            attempt.rollback()  # this also releases the locks
    raise ConflictingWrites(
        "Jobs are being added to these recordings all the time. Send the request again.",
        retry_after_seconds=1,
    )


def hold_user_for_deletion(user_id: int) -> None:
    """Lock a user and all rows of the user that other transactions may hold.

    References to the user are locked out last: a transaction that holds one of the other rows may still insert one.
    """
    hold(Job, Job.user_id == user_id, for_deletion=True)
    hold(User, User.id == user_id)
    for table in (Folder, Tag, Recording, Speaker, Webhook):
        hold(table, table.user_id == user_id, for_deletion=True)
    hold(User, User.id == user_id, for_deletion=True)
