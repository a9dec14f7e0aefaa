"""Shares: access of one other user to one recording. Access follows the rows at once (`recordings/access.py`)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from speakr.db import db
from speakr.domain.caps import Noun
from speakr.domain.clock import now
from speakr.domain.errors import Forbidden, Invalid, NotFound
from speakr.domain.paging import Part, Window
from speakr.domain.permissions import Actor, Permission
from speakr.models import RecordingShare, User
from speakr.services import caps, paging
from speakr.services.accounts import users
from speakr.services.recordings import access
from speakr.services.system import system_settings


def list_page(actor: Actor, recording_id: int, window: Window | None = None) -> Part[Any]:
    """Return the shares of the actor's recording (id, user_id, username, name, can_edit, created_at)."""
    access.get(actor, recording_id, Permission.OWN)
    return paging.rows(_shown(recording_id).order_by(func.lower(User.username)), window)


def give(
    actor: Actor, recording_id: int, *, user_id: int | None, username: str | None, can_edit: bool
) -> Any:
    """Share a recording with a user, or change the permission of an existing share; return the share."""
    access.get(actor, recording_id, Permission.OWN)
    _require_sharing()
    recipient = users.named(user_id=user_id, username=username)
    if recipient.id == actor.user_id:
        raise Invalid("A recording cannot be shared with its owner.", code="share_with_oneself")
    theirs = select(RecordingShare.id).where(RecordingShare.recording_id == recording_id)
    if db.session.scalar(theirs.where(RecordingShare.user_id == recipient.id)) is None:
        caps.require_room(Noun.SHARES, theirs)
    dialect: Any = sqlite if db.engine.dialect.name == "sqlite" else postgresql
    insert = dialect.insert(RecordingShare).values(
        recording_id=recording_id, user_id=recipient.id, can_edit=can_edit, created_at=now()
    )
    share_id: int = db.session.execute(
        insert.on_conflict_do_update(
            index_elements=[RecordingShare.recording_id, RecordingShare.user_id], set_={"can_edit": can_edit}
        ).returning(RecordingShare.id)
    ).scalar_one()
    return _one(recording_id, share_id)


def change(actor: Actor, recording_id: int, share_id: int, *, can_edit: bool) -> Any:
    """Change whether the recipient of a share may edit; return the share."""
    access.get(actor, recording_id, Permission.OWN)
    _require_sharing()
    db.session.execute(update(RecordingShare).where(*_is(recording_id, share_id)).values(can_edit=can_edit))
    return _one(recording_id, share_id)


def take_back(actor: Actor, recording_id: int, share_id: int) -> None:
    """Delete a share. The owner of the recording and the recipient may do this."""
    share = _is(recording_id, share_id)
    if _drop(*share, RecordingShare.user_id == actor.user_id):
        return
    access.get(actor, recording_id, Permission.OWN)
    if not _drop(*share):
        raise _not_found()


def _drop(*conditions: ColumnElement[bool]) -> bool:
    dropped = delete(RecordingShare).where(*conditions).returning(RecordingShare.id)
    return db.session.scalar(dropped) is not None


def _require_sharing() -> None:
    if not system_settings.get("enable_internal_sharing"):
        raise Forbidden("Sharing is not enabled on this server", code="sharing_disabled")


def _is(recording_id: int, share_id: int) -> tuple[ColumnElement[bool], ...]:
    return RecordingShare.id == share_id, RecordingShare.recording_id == recording_id


def _not_found() -> NotFound:
    return NotFound("Share not found")


def _shown(recording_id: int) -> Select[*tuple[Any, ...]]:
    return (
        select(
            RecordingShare.id,
            RecordingShare.recording_id,
            RecordingShare.user_id,
            User.username,
            User.name,
            RecordingShare.can_edit,
            RecordingShare.created_at,
        )
        .join(User, User.id == RecordingShare.user_id)
        .where(RecordingShare.recording_id == recording_id)
    )


def _one(recording_id: int, share_id: int) -> Any:
    share = db.session.execute(_shown(recording_id).where(RecordingShare.id == share_id)).first()
    if share is None:
        raise _not_found()
    return share
