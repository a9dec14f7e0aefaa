"""Deleting a recording: rows, text and bytes, and telling about it."""

from __future__ import annotations

from sqlalchemy import select

from speakr.backends import plugged
from speakr.db import after_commit, db
from speakr.domain.errors import Forbidden
from speakr.domain.events import RecordingDeleted
from speakr.domain.permissions import Actor, Permission
from speakr.models import Job
from speakr.services import events, system_settings, unwanted_blobs
from speakr.services.recordings.access import get


def delete(actor: Actor, recording_id: int) -> None:
    """Delete a recording. A job that runs on it finds its row gone and stops."""
    recording = get(actor, recording_id, Permission.OWN)
    if not system_settings.get("users_can_delete") and not actor.is_admin:
        raise Forbidden("Deletion not allowed", code="deletion_disabled")
    events.record(
        recording.user_id,
        RecordingDeleted(recording_id=recording.id, title=recording.title),
        recording_id=recording.id,
    )
    if recording.storage_key:
        unwanted_blobs.add(recording.storage_key)
    for plan in db.session.scalars(select(Job.plan).where(Job.recording_id == recording.id)):
        if plan and plan.get("pcm_key"):
            unwanted_blobs.add(plan["pcm_key"])
    db.session.delete(recording)
    live = plugged().live
    after_commit(lambda: live.forget(recording_id))
    after_commit(_clear)


def _clear() -> None:
    unwanted_blobs.clear()
