"""Change a recording's fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from speakr.db import db
from speakr.domain.errors import Forbidden, Invalid, NotFound
from speakr.domain.events import RecordingUpdated
from speakr.domain.permissions import Actor, Permission
from speakr.domain.recordings import DateSource
from speakr.models import Folder, Recording
from speakr.services.accounts import memberships
from speakr.services.recordings import folders
from speakr.services.recordings.access import get
from speakr.services.search import indexing
from speakr.services.webhooks import events

EDITABLE = (
    "title",
    "participants",
    "notes",
    "summary",
    "meeting_date",
    "is_inbox",
    "is_highlighted",
    "folder_id",
    "deletion_exempt",
)
"""Fields in the documented order of `fields_changed`."""

_OWNER_ONLY = frozenset({"notes", "is_inbox", "is_highlighted", "folder_id", "deletion_exempt"})
"""Fields that only the owner sees and changes."""


def update(actor: Actor, recording_id: int, changes: Mapping[str, Any]) -> Recording:
    """Change the given fields; the API has validated the values."""
    if not changes:
        raise Invalid("No data provided", code="empty_body")
    recording = get(actor, recording_id, Permission.EDIT, texts=("notes", "summary"))
    if recording.user_id != actor.user_id and not _OWNER_ONLY.isdisjoint(changes):
        raise Forbidden(
            f"Only the owner can change: {', '.join(sorted(_OWNER_ONLY & set(changes)))}",
            code="not_the_owner",
        )
    for name in EDITABLE:
        if name in changes:
            _set(actor, recording, name, changes[name])
    changed = tuple(name for name in EDITABLE if name in changes)
    if changed:
        events.record(
            recording.user_id,
            RecordingUpdated(recording_id=recording.id, title=recording.title, fields_changed=changed),
            recording_id=recording.id,
        )
    if not indexing.SEARCHED.isdisjoint(changed):
        indexing.index(recording.id)
    return recording


def _set(actor: Actor, recording: Recording, name: str, value: Any) -> None:
    if name == "folder_id":
        recording.folder_id = target_folder(actor, value)
    elif name == "summary":
        recording.summary = value
        recording.has_summary = bool(value)
        recording.summary_revision = recording.transcript_revision
    elif name == "meeting_date":
        recording.meeting_date = value
        recording.meeting_date_source = None if value is None else DateSource.GIVEN.value
    else:
        setattr(recording, name, value)


def target_folder(actor: Actor, folder_id: int | None) -> int | None:
    """Return a folder that the actor may use; None removes the recording from its folder.

    Raises:
        Forbidden: folders are disabled.
        NotFound: the actor may not use the folder, or it does not exist.

    """
    folders.require()
    if folder_id is None:
        return None
    found = db.session.scalar(
        select(Folder.id).where(Folder.id == folder_id, memberships.can_use(Folder, actor))
    )
    if found is None:
        raise NotFound(f"Folder {folder_id} not found")
    return found
