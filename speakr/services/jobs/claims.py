"""Changes to a job by the worker that owns it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import or_, update

from speakr.backends import get_backends
from speakr.db import db
from speakr.domain.clock import now
from speakr.domain.errors import ClaimLost, ConnectorBusy, JobCancelled, JobError, TransientJobError
from speakr.domain.jobs import KINDS, JobState, retry_delay_seconds
from speakr.domain.transcript import Span
from speakr.models import Job, JobChunk
from speakr.services.jobs import blobs, quarantine, queueing
from speakr.services.jobs.kinds import steps_of

_MAX_MESSAGE_LENGTH = 500
_PAUSE_SECONDS = 10.0
"""For an engine that asks to wait without saying how long."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a job, valid while the row has this fence."""

    job_id: int
    user_id: int
    kind: str
    fence: int
    worker: str
    options: Mapping[str, Any]
    plan: Mapping[str, Any] | None
    recording_id_if_any: int | None
    is_alone: bool = False
    """The job is in quarantine."""

    @property
    def recording_id(self) -> int:
        """The recording of the job. Kinds without a recording do not read this."""
        if self.recording_id_if_any is None:
            raise LookupError(f"job {self.job_id} ({self.kind}) has no recording")
        return self.recording_id_if_any


def lease_end() -> Any:
    """Return the time until which a lease granted or renewed now is valid."""
    return now() + timedelta(seconds=get_backends().settings.job_lease_seconds)


def claim(job_id: int, worker: str) -> Claim | None:
    """Claim a queued job that is due; return None if it is not due or another worker claimed it."""
    moment = now()
    job = db.session.scalar(
        update(Job)
        .where(
            Job.id == job_id,
            Job.state == JobState.QUEUED,
            or_(Job.not_before.is_(None), Job.not_before <= moment),
        )
        .values(
            state=JobState.RUNNING,
            fence=Job.fence + 1,
            worker=worker,
            lease_expires_at=lease_end(),
            claimed_at=moment,
            message="Started",
        )
        .returning(Job)
    )
    if job is None:
        return None
    if job.started_at is None:
        job.started_at = moment
        steps_of(job).on_started(job)
    else:
        steps_of(job).on_resumed(job)
    return Claim(
        job_id=job.id,
        recording_id_if_any=job.recording_id,
        user_id=job.user_id,
        kind=job.kind,
        fence=job.fence,
        worker=worker,
        options=job.options,
        plan=job.plan,
        is_alone=job.quarantined_at is not None,
    )


def _own(held: Claim, values: Mapping[str, Any]) -> Job:
    job = db.session.scalar(
        update(Job)
        .where(Job.id == held.job_id, Job.fence == held.fence, Job.state == JobState.RUNNING)
        .values(**values)
        .returning(Job)
        .execution_options(populate_existing=True)
    )
    if job is None:
        raise ClaimLost("Another worker has taken over this job, or it is gone.")
    return job


def report(held: Claim, message: str, progress: int | None = None) -> None:
    """Report progress and renew the lease. Raises `JobCancelled` if the user cancelled, `ClaimLost` if the claim is lost."""
    values: dict[str, Any] = {"message": message[:200], "lease_expires_at": lease_end()}
    if progress is not None:
        values["progress"] = progress
    if _own(held, values).cancel_requested:
        raise JobCancelled("Cancelled by the user.")


def advance(held: Claim, message: str, progress: int | None = None) -> None:
    """Report as `report` does, and forget earlier crashes: what was done since is durable."""
    report(held, message, progress)
    _own(held, quarantine.forgiven())


def reserve_blob(held: Claim, prefix: str) -> str:
    """Return the key of the job's blob with this prefix, which is deleted when the job ends."""
    _own(held, {"lease_expires_at": lease_end()})
    return blobs.reserve(held.job_id, prefix)


def hand_over_blob(held: Claim, key: str) -> None:
    """Let a recording keep one of the job's blobs; for the transaction that ends the job well."""
    _own(held, {"lease_expires_at": lease_end()})
    blobs.hand_over(held.job_id, key)


def keep_plan(held: Claim, plan: Mapping[str, Any]) -> None:
    """Store the results of the preparation so far."""
    _own(held, {"plan": dict(plan), "lease_expires_at": lease_end()})


def cut(held: Claim, plan: Mapping[str, Any], pieces: Sequence[Sequence[Span]]) -> None:
    """Store the plan and its chunks; from here on any worker may help."""
    _own(
        held,
        {
            "plan": dict(plan),
            **quarantine.forgiven(),
            "lease_expires_at": lease_end(),
            "message": "Transcribing",
        },
    )
    db.session.add_all(
        JobChunk(job_id=held.job_id, position=position, spans=[[span.start, span.end] for span in piece])
        for position, piece in enumerate(pieces)
    )


def make_way(held: Claim) -> None:
    """Put a running job back into its queue, with what is done of it, so that another one runs first."""
    job = _own(
        held, {"state": JobState.QUEUED, "lease_expires_at": None, "message": "Waiting for its next turn"}
    )
    queueing.ring_again(job)


def succeed(held: Claim) -> Job:
    """End the job as succeeded, in the transaction that stores its result."""
    job = _own(
        held,
        {
            "state": JobState.SUCCEEDED,
            "progress": 100,
            "message": "Done",
            "finished_at": now(),
            "lease_expires_at": None,
            "error_code": None,
            "error_message": None,
        },
    )
    clear_away(job)
    return job


def fail(held: Claim, error: JobError) -> None:
    """End this attempt: queue the job again if a retry may help and attempts are left, otherwise end it as failed."""
    job = _own(held, {"lease_expires_at": None})
    if isinstance(error, ConnectorBusy) and not job.cancel_requested and _may_wait(job):
        _wait(job, error)
        return
    attempts = job.attempts + 1
    kind = KINDS.get(job.kind)
    limit = (kind.max_attempts if kind else None) or get_backends().settings.job_max_attempts
    if isinstance(error, JobCancelled):
        end(job, JobState.CANCELLED, error)
    elif isinstance(error, TransientJobError) and attempts < limit and not job.cancel_requested:
        moment = now()
        pause = retry_delay_seconds(attempts, error.retry_after_seconds)
        job.state, job.attempts = JobState.QUEUED, attempts
        job.not_before = moment + timedelta(seconds=pause)
        job.rung_at = job.not_before
        job.error_code, job.error_message = error.slug, error.message[:_MAX_MESSAGE_LENGTH]
        job.message = f"Will be tried again in {pause:.0f} s ({attempts} of {limit} tries failed)"
        steps_of(job).on_postponed(job)
    else:
        job.attempts = attempts
        end(job, JobState.FAILED, error)


def _may_wait(job: Job) -> bool:
    time_limit = timedelta(hours=get_backends().settings.transcription_patience_hours)
    return now() - (job.started_at or job.queued_at) < time_limit


def _wait(job: Job, error: ConnectorBusy) -> None:
    """Postpone a job because its engine asked to wait. Nothing failed, so this does not count as an attempt."""
    pause = retry_delay_seconds(1, error.retry_after_seconds or _PAUSE_SECONDS)
    job.state, job.not_before = JobState.QUEUED, now() + timedelta(seconds=pause)
    job.rung_at = job.not_before
    job.error_code, job.error_message = error.slug, error.message[:_MAX_MESSAGE_LENGTH]
    job.message = f"{error.reason}; continues in {pause:.0f} s"
    steps_of(job).on_postponed(job)


def end(job: Job, state: JobState, error: JobError) -> None:
    """End a job that did not succeed and run the steps of its kind. The caller owns it by a compare-and-set."""
    job.state, job.finished_at, job.lease_expires_at = state, now(), None
    job.error_code, job.error_message = error.slug, error.message[:_MAX_MESSAGE_LENGTH]
    job.message = "Cancelled" if state is JobState.CANCELLED else "Failed"
    db.session.flush()  # the steps query which jobs are still active
    steps = steps_of(job)
    (steps.on_cancelled if state is JobState.CANCELLED else steps.on_failed)(job)
    clear_away(job)


def clear_away(job: Job) -> None:
    """Delete what only an active job needs: its blobs and the results of its chunks."""
    blobs.drop(Job.id == job.id)
    db.session.execute(update(JobChunk).where(JobChunk.job_id == job.id).values(result=None))
