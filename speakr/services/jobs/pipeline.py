"""The order of processing. Each function runs in the transaction of the step it follows.

upload -> TRANSCRIBE -> transcript, `transcription.completed` -> SUMMARIZE -> summary, `summary.completed`
       -> EXTRACT -> insights, `events.extracted`
       -> EMBED -> passages, if an embedding model is configured; follows the transcript, nothing follows it
MERGE or CUT -> a recording made of others, with their transcript; the same follows as after TRANSCRIBE

A recording is complete before EXTRACT and EMBED, which its status does not show. EXTRACT also follows a summary that
failed.

A job that does not succeed never changes existing text.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import exists, select

from speakr.backends import get_backends
from speakr.db import after_commit, db
from speakr.domain.clock import now
from speakr.domain.events import SummaryFailed, TranscriptionFailed, TranscriptionStarted
from speakr.domain.jobs import ACTIVE, JobKind, kinds_in_status
from speakr.domain.recordings import RecordingStatus
from speakr.models import Insight, Job, Recording, Segment, User
from speakr.services.accounts import users
from speakr.services.jobs import queueing
from speakr.services.jobs.kinds import Steps
from speakr.services.system import system_settings
from speakr.services.webhooks import events

_MAX_ERROR_LENGTH = 500


def _recording(job: Job) -> Recording:
    return db.session.get_one(Recording, job.recording_id)


def _message(job: Job) -> str:
    return (job.error_message or "Processing failed.")[:_MAX_ERROR_LENGTH]


def _await_transcription(job: Job) -> None:
    """Set the recording to pending, and clear its live events so that viewers start from the beginning."""
    recording = _recording(job)
    recording.status, recording.completed_at = RecordingStatus.PENDING, None
    recording.error_code = recording.error_message = None
    live, recording_id = get_backends().live, recording.id
    after_commit(lambda: live.forget(recording_id))
    _publish_status(recording)


def _start_transcription(job: Job) -> None:
    recording = _recording(job)
    recording.status = RecordingStatus.PROCESSING
    events.record(
        recording.user_id,
        TranscriptionStarted(recording_id=recording.id, title=recording.title),
        recording_id=recording.id,
    )
    _publish_status(recording)


def _resume_transcription(job: Job) -> None:
    # No event, but the recording may have been shown as pending since the last attempt.
    _recording(job).status = RecordingStatus.PROCESSING


def _postpone_transcription(job: Job) -> None:
    recording = _recording(job)
    recording.status = RecordingStatus.PENDING
    _publish_status(recording)


def _fail_transcription(job: Job) -> None:
    """Mark the recording as failed, because its transcript is missing."""
    _fail_recording(_recording(job), job.error_code, _message(job))


def _cancel_transcription(job: Job) -> None:
    """Restore the recording's previous state: complete with an earlier transcript, otherwise failed."""
    recording = _recording(job)
    if recording.is_transcribed:
        _complete(recording)
        _publish_status(recording)
    else:
        _fail_recording(recording, "cancelled", "Processing was cancelled.")


def _fail_recording(recording: Recording, code: str | None, message: str) -> None:
    recording.status = RecordingStatus.FAILED
    recording.error_code, recording.error_message = code, message
    events.record(
        recording.user_id,
        TranscriptionFailed(recording_id=recording.id, title=recording.title, error=message),
        recording_id=recording.id,
    )
    _publish_status(recording)


TRANSCRIPTION = Steps(
    on_queued=_await_transcription,
    on_started=_start_transcription,
    on_resumed=_resume_transcription,
    on_postponed=_postpone_transcription,
    on_failed=_fail_transcription,
    on_cancelled=_cancel_transcription,
)


def _start_derivation(job: Job) -> None:
    recording = _recording(job)
    recording.status = RecordingStatus.PROCESSING
    _publish_status(recording)


DERIVATION = replace(TRANSCRIPTION, on_started=_start_derivation, on_resumed=_start_derivation)
"""No engine starts to transcribe, so no event says so; otherwise the steps are those of a transcription."""


def _await_summary(job: Job) -> None:
    recording = _recording(job)
    if recording.status in {RecordingStatus.COMPLETED, RecordingStatus.FAILED}:
        recording.status, recording.completed_at = RecordingStatus.SUMMARIZING, None
        recording.error_code = recording.error_message = None
    _publish_status(recording)


def _start_summary(job: Job) -> None:
    recording = _recording(job)
    recording.status = RecordingStatus.SUMMARIZING
    _publish_status(recording)


def _postpone_summary(job: Job) -> None:
    _publish_status(_recording(job))


def _fail_summary(job: Job) -> None:
    """Complete the recording without a summary."""
    recording = _recording(job)
    _complete(recording)
    events.record(
        recording.user_id,
        SummaryFailed(recording_id=recording.id, title=recording.title, error=_message(job)),
        recording_id=recording.id,
    )
    extract_if_due(recording)
    _publish_status(recording)


def _cancel_summary(job: Job) -> None:
    recording = _recording(job)
    _complete(recording)
    _publish_status(recording)


SUMMARY = Steps(
    on_queued=_await_summary,
    on_started=_start_summary,
    on_postponed=_postpone_summary,
    on_failed=_fail_summary,
    on_cancelled=_cancel_summary,
)


def settle(recording: Recording) -> None:
    """Set the status after a job succeeded: completed unless another job is still active."""
    still = db.session.scalar(
        select(Job.kind)
        .where(Job.recording_id == recording.id, Job.state.in_(ACTIVE), Job.kind.in_(kinds_in_status()))
        .order_by(Job.id)
        .limit(1)
    )
    if still == JobKind.SUMMARIZE:
        recording.status = RecordingStatus.SUMMARIZING
    elif still is None:
        _complete(recording)
    _publish_status(recording)


def extract_if_due(recording: Recording) -> None:
    """Queue the extraction of insights if the owner wants them and none were made from this revision."""
    preferences = users.preferences(db.session.get_one(User, recording.user_id))
    wants_all = preferences["auto_summarization"] and system_settings.get("enable_auto_summarization")
    if not wants_all and not preferences["extract_events"]:
        return
    made_from = db.session.scalar(
        select(Insight.transcript_revision).where(Insight.recording_id == recording.id)
    )
    has_text = select(exists().where(Segment.recording_id == recording.id))
    if made_from != recording.transcript_revision and db.session.scalar(has_text):
        queueing.add(recording, JobKind.EXTRACT)


def _complete(recording: Recording) -> None:
    recording.status = RecordingStatus.COMPLETED
    recording.completed_at = now()
    recording.error_code = recording.error_message = None


def _publish_status(recording: Recording) -> None:
    """Send the status to live viewers after the commit."""
    live, recording_id = get_backends().live, recording.id
    status, error = recording.status.value, recording.error_message
    after_commit(lambda: live.publish(recording_id, "status", {"status": status, "error_message": error}))
