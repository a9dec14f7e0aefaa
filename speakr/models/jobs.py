"""Jobs and their chunks. These rows are the truth; Redis holds notifications only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base
from speakr.domain.clock import now
from speakr.domain.jobs import ChunkState, JobState, dedupe_key

IS_ACTIVE = text("state IN ('queued', 'running')")
"""Written out: SQLite uses the index of active jobs only where a query repeats its condition word by word."""


def _default_dedupe_key(context: DefaultExecutionContext) -> str:
    values = context.get_current_parameters()  # type: ignore[no-untyped-call] # SQLAlchemy has no types for it
    return dedupe_key(values["kind"], values["user_id"], values.get("recording_id"))


class Job(Base):
    """One piece of background work for a user, most of the time on a recording.

    What a job is about has a column with a foreign key of its own (`recording_id`), so that the database deletes the
    job together with it. A subject inside a recording sets `recording_id` as well: it decides who may see the job.

    `fence` grows with every claim. A writer must name the fence of its own claim, so a worker that lost its lease can
    change nothing.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        # Two concurrent requests cannot queue the same work twice.
        Index(
            "uq_jobs_active",
            "dedupe_key",
            unique=True,
            sqlite_where=IS_ACTIVE,
            postgresql_where=IS_ACTIVE,
        ),
        # Of all states: SQLite uses an index of active jobs only where their states are written out in the question.
        Index("ix_jobs_state", "state", "queued_at", "id"),
        Index("ix_jobs_user_state", "user_id", "state"),
        Index("ix_jobs_user", "user_id", "id"),
        Index("ix_jobs_recording", "recording_id", "id"),
        Index("ix_jobs_died_at", "died_at"),
        Index("ix_jobs_user_claimed", "user_id", "claimed_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    recording_id: Mapped[int | None] = mapped_column(ForeignKey("recordings.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(40))
    """A name in `KINDS`. Text and no enum: a row of a newer version's kind must not stop maintenance."""
    dedupe_key: Mapped[str] = mapped_column(String(120), default=_default_dedupe_key)
    state: Mapped[JobState] = mapped_column(default=JobState.QUEUED)
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    plan: Mapped[dict[str, Any] | None]
    """What the kind's handler has prepared; of chunked work it is present once the chunks are cut."""

    progress: Mapped[int] = mapped_column(default=0)
    """0 to 100."""
    message: Mapped[str | None] = mapped_column(String(200))
    error_code: Mapped[str | None] = mapped_column(String(60))
    error_message: Mapped[str | None] = mapped_column(String(500))

    fence: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(80))
    lease_expires_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    """Tries that ended in a passing failure; kills are not counted here."""
    crashes: Mapped[int] = mapped_column(default=0)
    """Work horses that died during it since the last progress."""
    losses: Mapped[int] = mapped_column(default=0)
    """Whole workers that vanished with it since the last progress."""
    blame_alone: Mapped[int] = mapped_column(default=0, server_default="0")
    """What deaths in quarantine count, `quarantine.count`."""
    quarantined_at: Mapped[datetime | None]
    """Since when the job runs alone: its work horses died before."""
    died_at: Mapped[datetime | None]
    """When the last of its work horses died, and at which progress and message."""
    died_at_step: Mapped[str | None] = mapped_column(String(220))
    cancel_requested: Mapped[bool] = mapped_column(default=False)

    created_at: Mapped[datetime] = mapped_column(default=now)
    queued_at: Mapped[datetime] = mapped_column(default=now)
    not_before: Mapped[datetime | None]
    """Do not start earlier: the pause after a passing failure."""
    rung_at: Mapped[datetime | None]
    ring_count: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime | None]
    claimed_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    @property
    def ignored_options(self) -> list[str]:
        """Requested options that the engine does not support; empty until that is known."""
        return list((self.plan or {}).get("ignored_options", ()))


class JobChunk(Base):
    """A part of a job that any worker may take. Its result is stored, so no part is transcribed twice."""

    __tablename__ = "job_chunks"
    __table_args__ = (
        Index("ix_job_chunks_job_position", "job_id", "position", unique=True),
        # Maintenance asks every few seconds which chunks are held.
        Index("ix_job_chunks_state", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    position: Mapped[int]
    spans: Mapped[list[Any]]
    """[start, end] each, in seconds of the recording."""
    state: Mapped[ChunkState] = mapped_column(default=ChunkState.PENDING)
    result: Mapped[dict[str, Any] | None]
    note: Mapped[dict[str, Any] | None]
    """By engine: the order placed at a provider, so that the next worker does not place it again."""
    fence: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(80))
    lease_expires_at: Mapped[datetime | None]
    crashes: Mapped[int] = mapped_column(default=0)
    losses: Mapped[int] = mapped_column(default=0)
    claim_count: Mapped[int] = mapped_column(default=0)
    finished_at: Mapped[datetime | None]


class JobBlob(Base):
    """A blob that a job needs only while it is active, noted before its first byte is written."""

    __tablename__ = "job_blobs"

    storage_key: Mapped[str] = mapped_column(String(120), primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
