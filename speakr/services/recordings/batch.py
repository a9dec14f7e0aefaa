"""Operations on many recordings. A failure for one recording does not affect the others."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, delete, select

from speakr import conflicts
from speakr.db import db, unit_of_work
from speakr.domain.caps import Noun
from speakr.domain.clock import now
from speakr.domain.errors import SpeakrError
from speakr.domain.events import RecordingUpdated
from speakr.domain.permissions import Actor, Permission
from speakr.models import Recording, RecordingTag, Tag, User
from speakr.offload import pause
from speakr.services import caps, row_locks
from speakr.services.jobs import processing
from speakr.services.recordings import access, editing, removal, tagging
from speakr.services.webhooks import events

_AT_ONCE = 100
"""Recordings per transaction, so that other writers get their turn in between."""

_FLAGS = ("is_inbox", "is_highlighted")


@dataclass(frozen=True, slots=True)
class BatchItemResult:
    """The result for one id: `error` is None on success."""

    recording_id: int
    error: str | None = None
    job_id: int | None = None


def _in_parts(
    ids: Sequence[int], work: Callable[[Sequence[int]], list[BatchItemResult]]
) -> list[BatchItemResult]:
    """Do the work on so many ids per unit of work, again after a conflict."""
    parts = [ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE)]
    results: list[BatchItemResult] = []
    for part in parts:
        results += conflicts.in_unit(functools.partial(work, part))
        pause()
    return results


def _refusal(actor: Actor, recording_id: int, permission: Permission) -> BatchItemResult:
    """Return the result for an id that cannot be used, with a documented message."""
    try:
        access.get(actor, recording_id, permission)
    except SpeakrError as error:
        return BatchItemResult(
            recording_id, "Not found" if error.slug == "not_found" else "Permission denied"
        )
    return BatchItemResult(recording_id, "Not found")


def update(actor: Actor, recording_ids: Sequence[int], changes: Mapping[str, Any]) -> list[BatchItemResult]:
    """Change flags, tags and folder of the actor's own recordings.

    `changes` may have is_inbox, is_highlighted, folder_id, add_tag_ids and remove_tag_ids. Tags that the actor may not
    use are ignored, as documented.

    Raises:
        NotFound: the actor may not use the folder; nothing is changed.

    """
    if "folder_id" in changes:
        with unit_of_work():
            editing.target_folder(actor, changes["folder_id"])

    def update_part(part: Sequence[int]) -> list[BatchItemResult]:
        mine = _own(actor, part)
        added = tagging.usable(actor, changes.get("add_tag_ids") or ())
        full = tagging.full(list(mine), added, changes.get("remove_tag_ids") or ()) if added else set()
        _update([mine[number] for number in part if number in mine.keys() - full], changes, added, actor)
        return [
            BatchItemResult(number, caps.reached(Noun.RECORDING_TAGS).message)
            if number in full
            else BatchItemResult(number)
            if number in mine
            else _refusal(actor, number, Permission.OWN)
            for number in part
        ]

    return _in_parts(recording_ids, update_part)


def _own(actor: Actor, ids: Sequence[int]) -> dict[int, Recording]:
    found = db.session.scalars(
        # By id: two batches that lock in the same order cannot deadlock.
        select(Recording)
        .where(Recording.id.in_(ids), Recording.user_id == actor.user_id)
        .order_by(Recording.id)
        .with_for_update(key_share=True)
    )
    return {recording.id: recording for recording in found}


def _update(
    recordings: Sequence[Recording], changes: Mapping[str, Any], added: Sequence[Tag], actor: Actor
) -> None:
    columns = {name: changes[name] for name in _FLAGS if name in changes}
    if "folder_id" in changes:
        # Checked again: the folder may have been deleted meanwhile.
        columns["folder_id"] = editing.target_folder(actor, changes["folder_id"])
    changed = list(columns)
    for recording in recordings:
        for name, value in columns.items():
            setattr(recording, name, value)
        recording.updated_at = now()
    ids = [recording.id for recording in recordings]
    if changes.get("remove_tag_ids"):
        db.session.execute(
            delete(RecordingTag).where(
                RecordingTag.recording_id.in_(ids), RecordingTag.tag_id.in_(changes["remove_tag_ids"])
            )
        )
    tagging.put_on(ids, added)
    if changes.get("remove_tag_ids") or changes.get("add_tag_ids"):
        changed.append("tags")
    events.record_all(
        actor.user_id,
        [
            RecordingUpdated(recording_id=recording.id, title=recording.title, fields_changed=tuple(changed))
            for recording in recordings
        ],
    )


def delete_all(actor: Actor, recording_ids: Sequence[int]) -> list[BatchItemResult]:
    """Delete recordings: the actor's own, or those of any user for an admin."""
    removal.require_permission(actor)
    conditions = () if actor.acts_as_admin else (Recording.user_id == actor.user_id,)

    def delete_part(part: Sequence[int]) -> list[BatchItemResult]:
        found = removal.held_for_removal(part, *conditions)
        deleted = {recording.id for recording in found}
        removal.remove(found)
        return [
            BatchItemResult(number) if number in deleted else _refusal(actor, number, Permission.OWN)
            for number in part
        ]

    return _in_parts(recording_ids, delete_part)


def transcribe(actor: Actor, recording_ids: Sequence[int]) -> list[BatchItemResult]:
    """Queue a transcription of each recording, with its own hints."""

    def transcribe_part(part: Sequence[int]) -> list[BatchItemResult]:
        # All locks at once: those of one recording after another would be out of order.
        owners = select(Recording.user_id).where(Recording.id.in_(part), access.visible_to(actor))
        row_locks.hold(User, User.id.in_(owners))
        row_locks.hold(Recording, and_(Recording.id.in_(part), access.visible_to(actor)))
        return [_transcribe(actor, number) for number in part]

    return _in_parts(recording_ids, transcribe_part)


def _transcribe(actor: Actor, recording_id: int) -> BatchItemResult:
    try:
        job, _ = processing.transcribe(actor, recording_id, {})
    except SpeakrError as error:
        sentence = {
            "not_found": "Not found",
            "audio_deleted": "Audio deleted",
            "read_only": "Permission denied",
        }
        return BatchItemResult(recording_id, sentence.get(error.slug, error.message))
    return BatchItemResult(recording_id, job_id=job.id)
