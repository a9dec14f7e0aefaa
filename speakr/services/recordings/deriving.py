"""Making the row of a recording that consists of parts of others. A worker then makes its audio and its transcript."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePath

from sqlalchemy import func, select

from speakr.backends import get_backends
from speakr.db import db
from speakr.domain.caps import CAPS, Noun
from speakr.domain.clock import now
from speakr.domain.derivation import Derivation, SourcePart
from speakr.domain.errors import Conflict, Invalid, NotFound
from speakr.domain.events import RecordingCreated
from speakr.domain.jobs import JobKind
from speakr.domain.languages import main_language
from speakr.domain.permissions import Actor, Permission
from speakr.domain.recordings import RecordingStatus
from speakr.domain.speakers import listed
from speakr.domain.transcript_edits import MAX_SEGMENTS
from speakr.media.join import form_for
from speakr.media.refusals import too_long
from speakr.models import Folder, Recording, RecordingTag, Segment
from speakr.services.accounts import budgets, memberships
from speakr.services.jobs import requests as jobs
from speakr.services.recordings import access, removal, tagging
from speakr.services.search import indexing
from speakr.services.webhooks import events

MAX_TITLE_LENGTH = 200
MAX_NOTES_LENGTH = 1_000_000
_MAX_STEM_LENGTH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecording:
    """What a new recording is called and when it took place. `suffix` becomes part of its file name."""

    title: str
    meeting_date: datetime | None
    suffix: str


def load_sources(actor: Actor, recording_ids: Sequence[int], *, keep_originals: bool) -> list[Recording]:
    """Load recordings that the actor may make others of, and delete unless the originals are kept.

    Raises:
        NotFound, Forbidden: one of them is not the actor's to edit or to delete.
        Conflict: one of them is not complete.
        Invalid: one has no transcript, some have audio and others have none, or the transcripts are too long together.

    """
    permission = Permission.EDIT if keep_originals else Permission.OWN
    if not keep_originals:
        removal.require_permission(actor)
    found = [_load(actor, recording_id, permission) for recording_id in recording_ids]
    for recording in found:
        if recording.status is not RecordingStatus.COMPLETED:
            message = f"Recording {recording.id} is not complete: it is {recording.status.value}."
            raise Conflict(message, code="recording_not_complete")
        if not recording.is_transcribed:
            raise Invalid(f"Recording {recording.id} has no transcript", code="no_transcription")
    without = [recording.id for recording in found if recording.storage_key is None]
    if without and len(without) < len(found):
        message = f"The audio of {', '.join(map(str, without))} has been deleted, that of the others has not"
        raise Invalid(message, code="audio_deleted")
    return found


def check_length(recording_ids: Sequence[int]) -> None:
    """Refuse to make a transcript of more segments than allowed."""
    spoken = select(func.count()).select_from(Segment).where(Segment.recording_id.in_(recording_ids))
    if (db.session.scalar(spoken) or 0) > MAX_SEGMENTS:
        message = f"have more than {MAX_SEGMENTS} segments together"
        raise Invalid(f"The transcripts {message}", errors={"recording_ids": [message]})


def _load(actor: Actor, recording_id: int, permission: Permission) -> Recording:
    try:
        return access.get(actor, recording_id, permission, texts=("notes",))
    except NotFound:
        raise NotFound(f"Recording {recording_id} not found") from None


def whole(recording: Recording) -> SourcePart:
    """Return all of a recording as a part."""
    last = db.session.scalar(select(func.max(Segment.end)).where(Segment.recording_id == recording.id))
    duration = recording.audio_duration or 0.0
    if recording.storage_key is None or not duration:
        duration = max(duration, last or 0.0)
    return SourcePart(recording.id, recording.transcript_revision, 0.0, duration, duration)


def admit(actor: Actor, sources: Sequence[Recording], results: Sequence[Derivation]) -> None:
    """Refuse what would be longer than the server accepts, or what would not fit into the actor's storage quota.

    The size of the new audio is not known yet, so that of the originals stands for it; the worker checks again.
    """
    max_seconds = get_backends().settings.max_duration_hours * 3600
    if any(result.seconds > max_seconds for result in results):
        raise too_long(max_seconds)
    if all(result.keep_originals for result in results):
        stored = sum(recording.file_size for recording in sources if recording.storage_key is not None)
        budgets.admit_bytes(actor.user_id, stored)


def create(
    actor: Actor, sources: Sequence[Recording], derivation: Derivation, wanted: NewRecording
) -> Recording:
    """Write the row of a new recording with the tags, notes and so on of its sources, and record its event.

    Others' tags, folders and notes are theirs and do not come along. `submit` queues the job.
    """
    own = [recording for recording in sources if recording.user_id == actor.user_id]
    first, form = sources[0], form_for([recording.mime_type for recording in sources])
    recording = Recording(
        user_id=actor.user_id,
        folder_id=_folder_id(actor, first),
        title=wanted.title.strip()[:MAX_TITLE_LENGTH],
        participants=_participants(sources),
        notes=_notes(own),
        original_filename=_filename(first.original_filename, wanted.suffix, form.extension),
        mime_type=form.mime_type,
        file_size=0,
        # Not of any bytes yet, and of no other recording: equal hashes mean copies.
        sha256=secrets.token_hex(32),
        storage_key=None,
        audio_duration=derivation.seconds,
        created_at=now(),
        meeting_date=wanted.meeting_date,
        deletion_exempt=any(recording.deletion_exempt for recording in own),
        language=main_language((source.language, 0.0) for source in sources),
        hints=dict(first.hints) if first in own else {},
    )
    db.session.add(recording)
    db.session.flush()  # to know recording.id
    _put_tags(actor, recording, own)
    events.record(
        actor.user_id,
        RecordingCreated(
            recording_id=recording.id,
            title=recording.title,
            file_size=recording.file_size,
            original_filename=recording.original_filename,
        ),
        recording_id=recording.id,
    )
    return recording


def submit(recording: Recording, kind: JobKind, derivation: Derivation) -> None:
    """Queue the job that makes audio and transcript."""
    jobs.submit(recording, kind, derivation.to_json())
    indexing.index(recording.id)


def with_siblings(derivation: Derivation, recordings: Sequence[Recording]) -> Derivation:
    """Return a derivation that names all recordings of one request."""
    return replace(derivation, siblings=tuple(recording.id for recording in recordings))


def _folder_id(actor: Actor, first: Recording) -> int | None:
    if first.folder_id is None or first.user_id != actor.user_id:
        return None
    usable = select(Folder.id).where(Folder.id == first.folder_id, memberships.can_use(Folder, actor))
    return db.session.scalar(usable)


def _put_tags(actor: Actor, recording: Recording, own: Sequence[Recording]) -> None:
    """Add the tags of all sources, the first ones if there are more than a recording may have."""
    tag_ids: list[int] = []
    for source in own:
        tag_ids += db.session.scalars(
            select(RecordingTag.tag_id)
            .where(RecordingTag.recording_id == source.id)
            .order_by(RecordingTag.position)
        ).all()
    tagging.put_on([recording.id], tagging.usable(actor, tag_ids)[: CAPS[Noun.RECORDING_TAGS]])


def _participants(sources: Sequence[Recording]) -> str | None:
    names = {name.strip() for source in sources for name in (source.participants or "").split(",")}
    return listed(names - {""})


def _notes(own: Sequence[Recording]) -> str | None:
    notes = "\n\n".join(dict.fromkeys(recording.notes for recording in own if recording.notes))
    if len(notes) > MAX_NOTES_LENGTH:
        message = f"The notes of these recordings have more than {MAX_NOTES_LENGTH} characters together"
        raise Invalid(message, errors={"recording_ids": [message]})
    return notes or None


def _filename(original: str, suffix: str, extension: str) -> str:
    return f"{PurePath(original).stem[:_MAX_STEM_LENGTH]}-{suffix}.{extension}"
