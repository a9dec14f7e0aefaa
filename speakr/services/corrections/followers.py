"""Follow-up of corrections: update the search index at once, and passages, summary and insights later."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, exists, select

from speakr.backends import get_backends
from speakr.db import after_commit, db, release, unit_of_work
from speakr.domain.clock import now
from speakr.domain.errors import Forbidden
from speakr.domain.events import RecordingUpdated
from speakr.domain.jobs import JobKind
from speakr.domain.transcript_history import RevisionKind
from speakr.models import Insight, Recording, Segment, TranscriptFollowUp, User
from speakr.services.accounts import budgets, users
from speakr.services.jobs import queueing, requests
from speakr.services.language import language_model
from speakr.services.search import indexing, passages
from speakr.services.speech import speakers
from speakr.services.webhooks import events

QUIET = timedelta(seconds=60)
"""Time without corrections before jobs are queued, so that not each keystroke queues one."""
MAX_WAIT = timedelta(minutes=10)
"""Longest time from the first correction to the jobs, however many corrections follow."""
_AT_ONCE = 20


def on_changed(recording: Recording, kind: RevisionKind) -> None:
    """Update the search index, record the event and schedule follow-up jobs, in the transaction of the correction."""
    indexing.index(recording.id)
    events.record(
        recording.user_id,
        RecordingUpdated(recording_id=recording.id, title=recording.title, fields_changed=("transcription",)),
        recording_id=recording.id,
    )
    live, recording_id, number = get_backends().live, recording.id, recording.transcript_revision
    after_commit(lambda: live.publish(recording_id, "transcript", {"revision": number, "kind": kind.value}))
    _schedule(recording.id)


def _schedule(recording_id: int) -> None:
    moment = now()
    earlier = db.session.get(TranscriptFollowUp, recording_id, with_for_update=True, populate_existing=True)
    if earlier is None:
        db.session.add(TranscriptFollowUp(recording_id=recording_id, first_at=moment, due_at=moment + QUIET))
    else:
        earlier.due_at = min(moment + QUIET, earlier.first_at + MAX_WAIT)


def queue_due() -> int:
    """Queue the due follow-up jobs; return the number of recordings. Any number of processes may run this at once."""
    release()
    due = db.session.scalars(
        select(TranscriptFollowUp.recording_id)
        .where(TranscriptFollowUp.due_at <= now())
        .order_by(TranscriptFollowUp.due_at)
        .limit(_AT_ONCE)
    ).all()
    for recording_id in due:
        with unit_of_work():
            _queue(recording_id)
    return len(due)


def _queue(recording_id: int) -> None:
    owner_id = db.session.scalar(select(Recording.user_id).where(Recording.id == recording_id))
    if owner_id is None:
        return
    # Take the locks of a correction in the same order: a concurrent correction then schedules its jobs after this.
    speakers.hold_owner(owner_id)
    recording = db.session.scalar(
        select(Recording).where(Recording.id == recording_id).with_for_update(key_share=True)
    )
    taken = db.session.execute(
        delete(TranscriptFollowUp)
        .where(TranscriptFollowUp.recording_id == recording_id, TranscriptFollowUp.due_at <= now())
        .returning(TranscriptFollowUp.recording_id)
    ).first()
    if recording is None or taken is None:
        return
    if passages.is_wanted():
        # If the job fails, a later run finds these passages missing.
        passages.put_out_of_date(recording.id)
        queueing.add(recording, JobKind.EMBED)
    if users.preferences(db.session.get_one(User, recording.user_id))["refresh_after_corrections"]:
        _refresh(recording)


def _refresh(recording: Recording) -> None:
    """Queue a new summary and insights if the stored ones are from an older revision and the token budget allows it."""
    if language_model.spends_tokens():
        try:
            budgets.admit_question(recording.user_id)
        except Forbidden:
            return
    if not db.session.scalar(select(exists().where(Segment.recording_id == recording.id))):
        return
    kinds = (JobKind.TRANSCRIBE, JobKind.SUMMARIZE, JobKind.EXTRACT)
    if any(queueing.active_on(recording, kind) is not None for kind in kinds):
        _schedule(recording.id)  # that job may have read the text before the corrections
        return
    if recording.has_summary and recording.summary_revision != recording.transcript_revision:
        requests.submit(recording, JobKind.SUMMARIZE)
    has_old = exists().where(
        Insight.recording_id == recording.id, Insight.transcript_revision != recording.transcript_revision
    )
    if db.session.scalar(select(has_old)):
        queueing.add(recording, JobKind.EXTRACT)
