"""Changes to a chunk by the worker that claimed it: the owner of the job or a helper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update

from speakr import live
from speakr.db import db
from speakr.domain.clock import now
from speakr.domain.errors import ClaimLost
from speakr.domain.jobs import ACTIVE, ChunkState
from speakr.domain.transcript import Span
from speakr.live import Topic
from speakr.models import Job, JobChunk
from speakr.services import row_locks
from speakr.services.jobs import quarantine
from speakr.services.jobs.claims import lease_end


@dataclass(frozen=True, slots=True)
class ChunkClaim:
    """The right to work on one chunk, valid while the row has this fence."""

    chunk_id: int
    job_id: int
    recording_id: int | None
    position: int
    spans: Sequence[Span]
    fence: int
    options: Mapping[str, Any]
    plan: Mapping[str, Any]
    note: Mapping[str, Any]

    @property
    def topic(self) -> Topic:
        """Where live events of this chunk are published."""
        return live.of_job(self.job_id) if self.recording_id is None else self.recording_id


def claim_next(job_id: int, worker: str) -> ChunkClaim | None:
    """Claim the first pending chunk of a job; return None if there is none."""
    job = db.session.get(Job, job_id, populate_existing=True)
    if job is None or job.state not in ACTIVE or job.plan is None or job.cancel_requested:
        return None
    if job.quarantined_at is not None and job.worker != worker:
        return None  # no helpers: it runs alone
    while True:
        free = db.session.scalar(
            select(JobChunk.id)
            .where(JobChunk.job_id == job_id, JobChunk.state == ChunkState.PENDING)
            .order_by(JobChunk.position)
            .limit(1)
        )
        if free is None:
            return None
        chunk = db.session.scalar(
            update(JobChunk)
            .where(JobChunk.id == free, JobChunk.state == ChunkState.PENDING)
            .values(
                state=ChunkState.RUNNING,
                fence=JobChunk.fence + 1,
                claim_count=JobChunk.claim_count + 1,
                worker=worker,
                lease_expires_at=lease_end(),
            )
            .returning(JobChunk)
            .execution_options(populate_existing=True)
        )
        if chunk is not None:  # otherwise another worker claimed it: try the next one
            return ChunkClaim(
                chunk_id=chunk.id,
                job_id=job.id,
                recording_id=job.recording_id,
                position=chunk.position,
                spans=[Span(start, end) for start, end in chunk.spans],
                fence=chunk.fence,
                options=job.options,
                plan=job.plan,
                note=chunk.note or {},
            )


def finish(held: ChunkClaim, result: Mapping[str, Any]) -> int:
    """Store a chunk's result; return the job's progress in percent.

    Raises:
        ClaimLost: the lease expired and another worker has claimed the chunk, or the job is gone.

    """
    # The job first, in the order of all that changes both.
    row_locks.hold(Job, Job.id == held.job_id)
    done = db.session.scalar(
        update(JobChunk)
        .where(
            JobChunk.id == held.chunk_id, JobChunk.fence == held.fence, JobChunk.state == ChunkState.RUNNING
        )
        .values(
            state=ChunkState.DONE,
            result=dict(result),
            note=None,
            lease_expires_at=None,
            finished_at=now(),
            crashes=0,
            losses=0,
        )
        .returning(JobChunk.id)
    )
    if done is None:
        raise ClaimLost("Another worker has claimed this chunk.")
    progress = _progress(held.job_id)
    db.session.execute(
        update(Job)
        .where(Job.id == held.job_id, Job.state.in_(ACTIVE))
        .values(progress=progress, attempts=0, **quarantine.forgiven())
    )
    return progress


def keep_note(held: ChunkClaim, note: Mapping[str, Any]) -> None:
    """Store a note about work that an external engine does for this chunk.

    Raises:
        ClaimLost: another worker has claimed the chunk.

    """
    kept = db.session.scalar(
        update(JobChunk)
        .where(
            JobChunk.id == held.chunk_id, JobChunk.fence == held.fence, JobChunk.state == ChunkState.RUNNING
        )
        .values(note=dict(note) or None)
        .returning(JobChunk.id)
    )
    if kept is None:
        raise ClaimLost("Another worker has claimed this chunk.")


def give_back(held: ChunkClaim) -> None:
    """Return the chunk to the queue for another worker, because this one cannot process it now."""
    db.session.execute(
        update(JobChunk)
        .where(
            JobChunk.id == held.chunk_id, JobChunk.fence == held.fence, JobChunk.state == ChunkState.RUNNING
        )
        .values(state=ChunkState.PENDING, lease_expires_at=None, worker=None)
    )


def is_wanted(held: ChunkClaim) -> bool:
    """Tell whether the chunk's job is still active and the claim on the chunk still valid."""
    found = db.session.scalar(
        select(JobChunk.id)
        .join(Job, Job.id == JobChunk.job_id)
        .where(
            JobChunk.id == held.chunk_id,
            JobChunk.fence == held.fence,
            JobChunk.state == ChunkState.RUNNING,
            Job.state.in_(ACTIVE),
            Job.cancel_requested.is_(False),
        )
    )
    return found is not None


def _progress(job_id: int) -> int:
    """Return 5 (no chunk done) to 95 (all chunks done). Chunks count equally, because they have similar lengths."""
    total, done = db.session.execute(
        select(func.count(), func.count().filter(JobChunk.state == ChunkState.DONE)).where(
            JobChunk.job_id == job_id
        )
    ).one()
    return 5 + round(90 * done / max(total, 1))


def left(job_id: int) -> tuple[int, int]:
    """Return the number of pending chunks and the number of chunks that are not done."""
    free, undone = db.session.execute(
        select(
            func.count().filter(JobChunk.state == ChunkState.PENDING),
            func.count().filter(JobChunk.state != ChunkState.DONE),
        ).where(JobChunk.job_id == job_id)
    ).one()
    return free, undone


def results(job_id: int) -> list[Mapping[str, Any]]:
    """Return the results of all chunks, in the order of the recording."""
    return [
        result or {}
        for result in db.session.scalars(
            select(JobChunk.result).where(JobChunk.job_id == job_id).order_by(JobChunk.position)
        )
    ]


def spans_of(job_id: int) -> list[list[Span]]:
    """Return the stretches of speech of all chunks, in the order of the recording."""
    return [
        [Span(start, end) for start, end in spans]
        for spans in db.session.scalars(
            select(JobChunk.spans).where(JobChunk.job_id == job_id).order_by(JobChunk.position)
        )
    ]
