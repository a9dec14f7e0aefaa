"""Delete recordings with their rows, texts and audio, and record the events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy import delete as sql_delete

from speakr.backends import get_backends
from speakr.db import after_commit, db
from speakr.domain.errors import Forbidden, NotFound
from speakr.domain.events import RecordingDeleted
from speakr.domain.permissions import Actor, Permission
from speakr.models import Job, Recording
from speakr.services import row_locks
from speakr.services.jobs import blobs
from speakr.services.recordings import changes
from speakr.services.recordings.access import get
from speakr.services.system import system_settings, unwanted_blobs
from speakr.services.webhooks import events


def delete(actor: Actor, recording_id: int) -> None:
    """Delete a recording. A job that runs on it finds its row deleted and stops."""
    get(actor, recording_id, Permission.OWN)
    require_permission(actor)
    if not remove(held_for_removal([recording_id])):
        raise NotFound("Recording not found")  # deleted a moment ago


def require_permission(actor: Actor) -> None:
    """Refuse with 403 when the server lets only admins delete recordings."""
    if not system_settings.get("users_can_delete") and not actor.is_admin:
        raise Forbidden("Deletion not allowed", code="deletion_disabled")


def held_for_removal(recording_ids: Sequence[int], *conditions: ColumnElement[bool]) -> Sequence[Recording]:
    """Lock recordings and all their jobs; return those that exist and meet the conditions, by id. For `remove`."""
    held = row_locks.hold_with_jobs(and_(Recording.id.in_(recording_ids), *conditions))
    return db.session.scalars(
        select(Recording)
        .where(Recording.id.in_(held))
        .order_by(Recording.id)
        .execution_options(populate_existing=True)
    ).all()


def remove(recordings: Sequence[Recording]) -> bool:
    """Delete recordings after the caller's permission check, in a constant number of statements.

    The caller has locked them with `held_for_removal`. Return whether there were any.
    """
    if not recordings:
        return False
    ids = [recording.id for recording in recordings]
    deleted: defaultdict[int, list[RecordingDeleted]] = defaultdict(list)
    for recording in recordings:
        deleted[recording.user_id].append(RecordingDeleted(recording_id=recording.id, title=recording.title))
    for user_id, facts in deleted.items():
        events.record_all(user_id, facts)
    unwanted_blobs.add_all([recording.storage_key for recording in recordings if recording.storage_key])
    blobs.drop(Job.recording_id.in_(ids))
    for recording in recordings:
        db.session.expunge(recording)
    db.session.execute(sql_delete(Recording).where(Recording.id.in_(ids)))
    after_commit(lambda: _forget(ids))
    return True


def remove_audio(recordings: Sequence[Recording]) -> None:
    """Delete the audio of recordings and keep their texts."""
    unwanted_blobs.add_all([recording.storage_key for recording in recordings if recording.storage_key])
    with changes.record_changes(
        Recording.id.in_([recording.id for recording in recordings]), "audio_available"
    ):
        for recording in recordings:
            recording.storage_key = None
    after_commit(_clear)


def _forget(recording_ids: Sequence[int]) -> None:
    for recording_id in recording_ids:
        get_backends().live.forget(recording_id)
    _clear()


def _clear() -> None:
    unwanted_blobs.clear()
