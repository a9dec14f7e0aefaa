"""What follows what. Each function runs in the transaction of the step it follows.

upload -> TRANSCRIBE -> transcript, `transcription.completed` -> SUMMARIZE -> summary, `summary.completed`
       -> EXTRACT -> insights, `events.extracted`
       -> EMBED -> passages, if there is an embedding model; it follows the transcript and nothing follows it

A recording is complete before EXTRACT and EMBED, which its status does not show. EXTRACT follows a summary that
failed, too.

A job that did not succeed never touches the text that was there before it.
"""

from __future__ import annotations

from sqlalchemy import exists, select

from speakr.backends import get_backends
from speakr.db import after_commit, db
from speakr.domain.clock import now
from speakr.domain.events import SummaryFailed, TranscriptionFailed, TranscriptionStarted
from speakr.domain.jobs import ACTIVE, IN_THE_BACKGROUND, JobKind
from speakr.domain.recordings import RecordingStatus
from speakr.models import Insight, Job, Recording, Segment, User
from speakr.services import events, system_settings, users
from speakr.services.jobs import queueing

_MAX_ERROR_LENGTH = 500


def on_queued(recording: Recording, kind: JobKind) -> None:
    """Show a recording as waiting."""
    if kind in IN_THE_BACKGROUND:
        return
    if kind is JobKind.TRANSCRIBE:
        recording.status, recording.completed_at = RecordingStatus.PENDING, None
        recording.error_code = recording.error_message = None
        live = get_backends().live
        recording_id = recording.id
        after_commit(lambda: live.forget(recording_id))
    elif recording.status in {RecordingStatus.COMPLETED, RecordingStatus.FAILED}:
        recording.status, recording.completed_at = RecordingStatus.SUMMARIZING, None
        recording.error_code = recording.error_message = None
    _tell(recording)


def on_started(job: Job) -> None:
    """Show a recording as being worked on."""
    if job.kind in IN_THE_BACKGROUND:
        return
    recording = db.session.get_one(Recording, job.recording_id)
    if job.kind is JobKind.TRANSCRIBE:
        recording.status = RecordingStatus.PROCESSING
        events.record(
            recording.user_id,
            TranscriptionStarted(recording_id=recording.id, title=recording.title),
            recording_id=recording.id,
        )
    else:
        recording.status = RecordingStatus.SUMMARIZING
    _tell(recording)


def on_postponed(job: Job) -> None:
    """Show a recording as waiting again after a passing failure."""
    if job.kind in IN_THE_BACKGROUND:
        return
    recording = db.session.get_one(Recording, job.recording_id)
    if job.kind is JobKind.TRANSCRIBE:
        recording.status = RecordingStatus.PENDING
    _tell(recording)


def on_failed(job: Job) -> None:
    """Tell that a job failed for good. Without a transcript the recording failed; without a summary it is complete."""
    if job.kind in IN_THE_BACKGROUND:
        return
    recording = db.session.get_one(Recording, job.recording_id)
    message = (job.error_message or "Processing failed.")[:_MAX_ERROR_LENGTH]
    if job.kind is JobKind.TRANSCRIBE:
        recording.status = RecordingStatus.FAILED
        recording.error_code, recording.error_message = job.error_code, message
        events.record(
            recording.user_id,
            TranscriptionFailed(recording_id=recording.id, title=recording.title, error=message),
            recording_id=recording.id,
        )
    else:
        _complete(recording)
        events.record(
            recording.user_id,
            SummaryFailed(recording_id=recording.id, title=recording.title, error=message),
            recording_id=recording.id,
        )
        extract_if_due(recording)
    _tell(recording)


def on_cancelled(job: Job) -> None:
    """Put a recording back to what it has: a text, or nothing."""
    if job.kind in IN_THE_BACKGROUND:
        return
    recording = db.session.get_one(Recording, job.recording_id)
    if recording.has_transcription:
        _complete(recording)
    else:
        recording.status = RecordingStatus.FAILED
        recording.error_code, recording.error_message = "cancelled", "Processing was cancelled."
        events.record(
            recording.user_id,
            TranscriptionFailed(
                recording_id=recording.id, title=recording.title, error="Processing was cancelled."
            ),
            recording_id=recording.id,
        )
    _tell(recording)


def settle(recording: Recording) -> None:
    """Set the status after a job ended well: complete unless another one is still to come."""
    still = db.session.scalar(
        select(Job.kind)
        .where(Job.recording_id == recording.id, Job.state.in_(ACTIVE), Job.kind.not_in(IN_THE_BACKGROUND))
        .order_by(Job.id)
        .limit(1)
    )
    if still is JobKind.SUMMARIZE:
        recording.status = RecordingStatus.SUMMARIZING
    elif still is None:
        _complete(recording)
    _tell(recording)


def extract_if_due(recording: Recording) -> None:
    """Queue the search for what a transcript holds, if its owner wants it and it has not been made from this text."""
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


def _tell(recording: Recording) -> None:
    """Tell whoever watches, once this is committed."""
    live, recording_id = get_backends().live, recording.id
    status, error = recording.status.value, recording.error_message
    after_commit(lambda: live.publish(recording_id, "status", {"status": status, "error_message": error}))
