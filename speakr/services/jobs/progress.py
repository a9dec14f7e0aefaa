"""How far the transcription of a recording is, in chunks and in percent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from speakr.db import db
from speakr.domain.errors import NotFound
from speakr.domain.jobs import ChunkState, JobKind
from speakr.domain.permissions import Actor
from speakr.domain.recordings import RecordingStatus
from speakr.domain.transcript import Span
from speakr.models import Job, JobChunk, Recording
from speakr.services.jobs import chunks
from speakr.services.recordings import access

_COLUMNS = (
    Recording.id,
    Recording.status,
    Recording.error_message,
    Recording.updated_at,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The state of a recording's newest transcription."""

    recording_id: int
    status: RecordingStatus
    percent: int
    """0 to 100; 100 once the text is there."""
    chunks_done: int
    chunk_count: int
    """0 until the audio is cut."""
    updated_at: datetime
    error: str | None
    job_id: int | None
    attempts: int
    chunk_percent: int = 0
    """0 to 100: the share of the current chunk that is recognised. Rows do not say it; live events do."""

    @property
    def is_transcribed(self) -> bool:
        """Tell whether the text is there: a summary may still be missing."""
        return self.status in {RecordingStatus.SUMMARIZING, RecordingStatus.COMPLETED}

    @property
    def is_over(self) -> bool:
        """Tell whether the transcription has ended, well or not."""
        return self.is_transcribed or self.status is RecordingStatus.FAILED


def of_recording(actor: Actor, recording_id: int) -> Progress:
    """Return the progress of a recording. Raises `NotFound` if the actor may not see it."""
    row = db.session.execute(
        select(*_COLUMNS).where(Recording.id == recording_id, access.visible_to(actor))
    ).first()
    if row is None:
        raise NotFound("Recording not found")
    return _progress([row])[0]


def newest(actor: Actor, limit: int) -> list[Progress]:
    """Return the progress of the actor's newest recordings, newest first."""
    rows = db.session.execute(
        select(*_COLUMNS)
        .where(Recording.user_id == actor.user_id)
        .order_by(Recording.created_at.desc(), Recording.id.desc())
        .limit(limit)
    ).all()
    return _progress(rows)


def segments_so_far(made: Progress) -> list[Mapping[str, Any]]:
    """Return the segments of the chunks that are done, as `transcripts.to_json` writes them; speakers may still change."""
    if made.job_id is None:
        return []
    return [kept for result in chunks.results(made.job_id) for kept in result.get("segments", ())]


def recognised_percent(spans: Sequence[Span], until: float) -> int:
    """Return the share of a chunk before a time of the recording, 0 to 100. spans: its stretches of speech."""
    length = sum(span.end - span.start for span in spans)
    passed = sum(max(0.0, min(span.end, until) - span.start) for span in spans)
    return round(100 * passed / length) if length > 0 else 0


def _progress(rows: Sequence[Any]) -> list[Progress]:
    jobs = _newest_jobs([row.id for row in rows])
    counts = _chunks([job.id for job in jobs.values()])
    return [_of_row(row, jobs.get(row.id), counts) for row in rows]


def _of_row(row: Any, job: Job | None, counts: Mapping[int, Any]) -> Progress:
    counted = counts.get(job.id) if job is not None else None
    moments = [
        row.updated_at,
        *([job.queued_at, job.claimed_at, job.finished_at] if job is not None else ()),
        *([counted.finished_at] if counted is not None else ()),
    ]
    made = Progress(
        recording_id=row.id,
        status=row.status,
        percent=0 if job is None else job.progress,
        chunks_done=counted.done if counted is not None else 0,
        chunk_count=counted.total if counted is not None else 0,
        updated_at=max(moment for moment in moments if moment is not None),
        error=row.error_message,
        job_id=None if job is None else job.id,
        attempts=0 if job is None else job.attempts,
    )
    if not made.is_transcribed:
        return made
    # A later job may have been cancelled, which leaves the earlier text.
    return replace(made, percent=100, chunks_done=made.chunk_count, error=None)


def _newest_jobs(recording_ids: Sequence[int]) -> dict[int, Job]:
    newest_ids = (
        select(func.max(Job.id))
        .where(Job.recording_id.in_(recording_ids), Job.kind == JobKind.TRANSCRIBE)
        .group_by(Job.recording_id)
    )
    found = db.session.scalars(select(Job).where(Job.id.in_(newest_ids)))
    return {job.recording_id: job for job in found if job.recording_id is not None}


def _chunks(job_ids: Sequence[int]) -> dict[int, Any]:
    rows = db.session.execute(
        select(
            JobChunk.job_id,
            func.count().label("total"),
            func.count().filter(JobChunk.state == ChunkState.DONE).label("done"),
            func.max(JobChunk.finished_at).label("finished_at"),
        )
        .where(JobChunk.job_id.in_(job_ids))
        .group_by(JobChunk.job_id)
    )
    return {row.job_id: row for row in rows}
