"""Delete old recordings, if an administrator has enabled this.

The retention of a recording is the longest of its tags' retention days, else its folder's, else the server's, else
unlimited. A protected tag or folder, or the recording's own exemption, overrides this. Recordings that are being
processed are not deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, func, or_, select

from speakr import conflicts
from speakr.db import db
from speakr.domain.clock import now
from speakr.domain.errors import Forbidden
from speakr.domain.permissions import Actor
from speakr.domain.recordings import RecordingStatus
from speakr.models import Folder, Recording, RecordingTag, Tag
from speakr.services.recordings import removal
from speakr.services.system import system_settings

logger = structlog.get_logger(__name__)

_AT_ONCE = 100
_LOOK_AT = 1_000
MAX_DUE = 1_000
"""Recordings that a report names."""
_FINISHED = (RecordingStatus.COMPLETED, RecordingStatus.FAILED)
_AUDIO_ONLY = "audio_only"


@dataclass(frozen=True, slots=True)
class Due:
    """A recording whose retention has ended. `rule` is the source of the retention: tag, folder or server."""

    recording_id: int
    user_id: int
    title: str
    created_at: datetime
    due_at: datetime
    retention_days: int
    rule: str


@dataclass(frozen=True, slots=True)
class RetentionReport:
    """The result of a run, or the first recordings that a run would delete. `audio_only`: texts are kept."""

    is_enabled: bool
    audio_only: bool
    due: Sequence[Due]
    done: int


def of_actor(actor: Actor) -> RetentionReport:
    """Return the actor's own recordings that are due; deletes nothing."""
    return _preview(actor.user_id)


def preview(actor: Actor) -> RetentionReport:
    """Return the recordings that are due on the whole server, for admins."""
    _require_admin(actor)
    return look()


def look() -> RetentionReport:
    """Return the recordings that are due on the whole server; deletes nothing."""
    return _preview(None)


def run_now(actor: Actor) -> RetentionReport:
    """Delete what is due now, for admins. Opens its own units of work."""
    _require_admin(actor)
    return run()


def run() -> RetentionReport:
    """Delete what is due in batches; does nothing while retention is disabled. Opens its own units of work."""
    is_enabled, audio_only = _mode()
    deleted: list[Due] = []
    while is_enabled:
        part = conflicts.in_unit(lambda: _delete_due(audio_only=audio_only))
        if not part:
            break
        deleted += part
    if deleted:
        logger.info("retention", recordings=len(deleted), audio_only=audio_only)
    return RetentionReport(is_enabled, audio_only, deleted[:MAX_DUE], len(deleted))


def _delete_due(*, audio_only: bool) -> list[Due]:
    """Delete some of what is due; return it. A recording that was protected a moment ago stays."""
    found = [one.recording_id for one in _due(None, audio_only=audio_only, limit=_AT_ONCE)]
    held = removal.held_for_removal(found)
    # Their owners may have changed them while this waited for the locks, so only now it shows which are due.
    due = _due(None, audio_only=audio_only, limit=_AT_ONCE, among=[recording.id for recording in held])
    ids = {one.recording_id for one in due}
    recordings = [recording for recording in held if recording.id in ids]
    if audio_only:
        removal.remove_audio(recordings)
    else:
        removal.remove(recordings)
    return due


def _require_admin(actor: Actor) -> None:
    if not actor.acts_as_admin:
        raise Forbidden("Admin access required", code="admin_required")


def _mode() -> tuple[bool, bool]:
    return system_settings.get("enable_auto_deletion"), system_settings.get("deletion_mode") == _AUDIO_ONLY


def _preview(user_id: int | None) -> RetentionReport:
    is_enabled, audio_only = _mode()
    return RetentionReport(is_enabled, audio_only, _due(user_id, audio_only=audio_only, limit=MAX_DUE), 0)


def _due(
    user_id: int | None, *, audio_only: bool, limit: int, among: Sequence[int] | None = None
) -> list[Due]:
    """Return the recordings that are due, of a user and among certain ids if given, in the order of their ids."""
    server_days: int | None = system_settings.get("retention_days")
    shortest = _shortest(server_days)
    if shortest is None:
        return []
    moment, found, last = now(), list[Due](), 0
    query = _candidates(moment - timedelta(days=shortest), audio_only=audio_only)
    if user_id is not None:
        query = query.where(Recording.user_id == user_id)
    if among is not None:
        query = query.where(Recording.id.in_(among))
    while len(found) < limit:
        rows = db.session.execute(query.where(Recording.id > last).limit(_LOOK_AT)).all()
        if not rows:
            break
        last = rows[-1].id
        found += [due for row in rows if (due := _due_of(row, server_days, moment)) is not None]
    return found[:limit]


def _shortest(server_days: int | None) -> int | None:
    """Return the shortest retention of all rules, so that younger recordings need not be read."""
    asked = [db.session.scalar(select(func.min(kind.retention_days))) for kind in (Tag, Folder)]
    return min((days for days in (*asked, server_days) if days is not None), default=None)


def _candidates(before: datetime, *, audio_only: bool) -> Any:
    tags = (
        select(func.max(Tag.retention_days))
        .join(RecordingTag, RecordingTag.tag_id == Tag.id)
        .where(RecordingTag.recording_id == Recording.id)
        .scalar_subquery()
    )
    conditions: list[ColumnElement[bool]] = [
        Recording.created_at <= before,
        Recording.status.in_(_FINISHED),
        Recording.deletion_exempt.is_(False),
        Recording.id.not_in(
            select(RecordingTag.recording_id)
            .join(Tag, Tag.id == RecordingTag.tag_id)
            .where(Tag.protect_from_deletion)
        ),
        or_(Folder.id.is_(None), Folder.protect_from_deletion.is_(False)),
    ]
    if audio_only:
        conditions.append(Recording.storage_key.is_not(None))
    return (
        select(
            Recording.id,
            Recording.user_id,
            Recording.title,
            Recording.created_at,
            tags.label("tag_days"),
            Folder.retention_days.label("folder_days"),
        )
        .outerjoin(Folder, Folder.id == Recording.folder_id)
        .where(*conditions)
        .order_by(Recording.id)
    )


def _due_of(row: Any, server_days: int | None, moment: datetime) -> Due | None:
    rules = (("tag", row.tag_days), ("folder", row.folder_days), ("server", server_days))
    rule, days = next(((name, days) for name, days in rules if days is not None), ("", None))
    if days is None:
        return None
    due_at = row.created_at + timedelta(days=days)
    if due_at > moment:
        return None
    return Due(row.id, row.user_id, row.title, row.created_at, due_at, days, rule)
