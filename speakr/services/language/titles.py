"""Generate a new title on request."""

from __future__ import annotations

from sqlalchemy import update

from speakr.connectors.language.base import SummaryRequest
from speakr.db import db, release, separate_unit_of_work, unit_of_work
from speakr.domain.errors import Conflict, Invalid
from speakr.domain.events import RecordingUpdated
from speakr.domain.permissions import Actor, Permission
from speakr.models import Recording, User
from speakr.services.accounts import budgets, usage, users
from speakr.services.language import language_model
from speakr.services.recordings import access
from speakr.services.search import indexing
from speakr.services.speech import transcripts
from speakr.services.webhooks import events

MAX_TITLE_LENGTH = 200


def regenerate_title(actor: Actor, recording_id: int) -> Recording:
    """Generate a recording's title; without a result the old one stays. Opens its own unit of work."""
    recording = access.get(actor, recording_id, Permission.EDIT)
    segments = transcripts.segments_of(recording.id)
    if not any(segment.text.strip() for segment in segments):
        raise Invalid("No transcription available", code="no_transcription")
    owner = db.session.get_one(User, recording.user_id)
    request = SummaryRequest(
        lines=language_model.to_lines(segments), language=users.preferences(owner)["output_language"]
    )
    title_before = recording.title
    if language_model.spends_tokens():
        budgets.admit_question(actor.user_id)
    release()
    title = language_model.ask(
        actor.user_id, lambda engine: engine.write_title(request), or_say="Title service not available"
    )
    with separate_unit_of_work():  # also if the title cannot be used
        usage.add(actor.user_id, tokens=title.usage.total)
    with unit_of_work():
        recording = access.get(actor, recording_id, Permission.EDIT)
        if title.text and title.text != recording.title:
            _replace(recording, title_before, title.text[:MAX_TITLE_LENGTH])
        return recording


def _replace(recording: Recording, title_before: str, title: str) -> None:
    """Set the title, unless a user has changed it meanwhile; the user's title stays."""
    replaced = db.session.scalar(
        update(Recording)
        .where(Recording.id == recording.id, Recording.title == title_before)
        .values(title=title)
        .returning(Recording.id)
    )
    if replaced is None:
        raise Conflict("The title was changed by another request.")
    db.session.refresh(recording)
    events.record(
        recording.user_id,
        RecordingUpdated(recording_id=recording.id, title=title, fields_changed=("title",)),
        recording_id=recording.id,
    )
    indexing.index(recording.id)
