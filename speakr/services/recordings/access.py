"""Load a recording and check the permission in one call, so that no code can load one without a check.

Users other than the owner see a recording that was shared with them, or that has a tag or a folder of a group they
are members of: all members if the tag or folder has `auto_share_on_apply`, the group's admins (its leads) if it has
`share_with_group_lead`. Nothing is copied, so a user who leaves a group loses access at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, and_, false, or_, select, union
from sqlalchemy.orm import undefer

from speakr.db import db
from speakr.domain.errors import Forbidden, NotFound
from speakr.domain.permissions import Actor, GroupRole, Permission
from speakr.models import Folder, GroupMembership, Recording, RecordingShare, RecordingTag, Tag
from speakr.models.filing import Filing
from speakr.services.system import system_settings


def get(actor: Actor, recording_id: int, permission: Permission, *, texts: Sequence[str] = ()) -> Recording:
    """Load a recording for an actor, with the long texts named in `texts` (`notes`, `summary`).

    Raises:
        NotFound: the recording does not exist or the actor may not see it; the error does not say which.
        Forbidden: the actor may see the recording but lacks the permission.

    """
    query = select(Recording).where(Recording.id == recording_id)
    if texts:
        query = query.options(*(undefer(getattr(Recording, name)) for name in texts))
    own = db.session.scalar(query.where(Recording.user_id == actor.user_id))
    if own is not None:
        return own
    # The same queries whether the recording exists or not, so that the time does not tell which.
    recording = db.session.scalar(query.where(shared_with(actor)))
    if recording is None:
        raise NotFound("Recording not found")
    if permission is Permission.OWN:
        raise Forbidden("Permission denied - only the owner can do this", code="not_the_owner")
    if permission is Permission.EDIT and not _matches(recording_id, editable_by(actor)):
        raise Forbidden("Permission denied", code="read_only")
    return recording


def own(actor: Actor, recording_id: int) -> Recording:
    """Load one of the actor's own recordings, for lists without those that others share.

    Raises:
        NotFound: it does not exist or belongs to another user; the error does not say which.

    """
    recording = get(actor, recording_id, Permission.VIEW)
    if recording.user_id != actor.user_id:
        raise NotFound("Recording not found")
    return recording


def may_see(actor: Actor, recording_id: int) -> bool:
    """Tell whether an actor may see a recording."""
    return _matches(recording_id, visible_to(actor))


def is_shared_with(actor: Actor, recording_id: int) -> bool:
    """Tell whether an actor may see a recording of another user."""
    return _matches(recording_id, shared_with(actor))


def _matches(recording_id: int, condition: ColumnElement[bool]) -> bool:
    return db.session.scalar(select(Recording.id).where(Recording.id == recording_id, condition)) is not None


def visible_to(actor: Actor) -> ColumnElement[bool]:
    """Return the condition for all recordings an actor may see: their own and those shared with them."""
    return or_(Recording.user_id == actor.user_id, shared_with(actor))


def shared_with(actor: Actor) -> ColumnElement[bool]:
    """Return the condition for the recordings of other users that an actor may see."""
    shares = select(RecordingShare.recording_id).where(RecordingShare.user_id == actor.user_id)
    return _of_others(actor, shares, lead_only=False)


def ids_shown_to(actor: Actor) -> Select[int]:
    """Return a query for the ids of recordings shared with an actor, possibly including some of their own.

    Use this to list recordings of other users: the database starts from the shared ids, whereas the condition
    `shared_with` makes it test every recording. The caller excludes the actor's own, which needs the recordings' rows.
    """
    if not system_settings.get("enable_internal_sharing"):
        return select(Recording.id).where(false())
    shares = select(RecordingShare.recording_id).where(RecordingShare.user_id == actor.user_id)
    tagged, folders = _shared_by_groups(actor, lead_only=False)
    ways = union(shares, tagged, select(Recording.id).where(Recording.folder_id.in_(folders))).subquery()
    return select(ways.c.recording_id)


def editable_by(actor: Actor) -> ColumnElement[bool]:
    """Return the condition for the recordings of other users that an actor may change."""
    shares = select(RecordingShare.recording_id).where(
        RecordingShare.user_id == actor.user_id, RecordingShare.can_edit
    )
    return _of_others(actor, shares, lead_only=True)


def _of_others(actor: Actor, shares: object, *, lead_only: bool) -> ColumnElement[bool]:
    if not system_settings.get("enable_internal_sharing"):
        return Recording.id.in_(())
    tagged, folders = _shared_by_groups(actor, lead_only=lead_only)
    return and_(
        Recording.user_id != actor.user_id,
        or_(
            Recording.id.in_(shares),  # type: ignore[arg-type] # a subquery, for which SQLAlchemy has several types
            Recording.id.in_(tagged),
            Recording.folder_id.in_(folders),
        ),
    )


def _shared_by_groups(actor: Actor, *, lead_only: bool) -> tuple[Select[int], Select[int]]:
    """Return the ids of the recordings with a tag, and of the folders, that a group shares with the actor."""
    tagged = (
        select(RecordingTag.recording_id)
        .join(Tag, Tag.id == RecordingTag.tag_id)
        .join(GroupMembership, GroupMembership.group_id == Tag.group_id)
        .where(GroupMembership.user_id == actor.user_id, _gives_access(Tag, lead_only=lead_only))
    )
    folders = (
        select(Folder.id)
        .join(GroupMembership, GroupMembership.group_id == Folder.group_id)
        .where(GroupMembership.user_id == actor.user_id, _gives_access(Folder, lead_only=lead_only))
    )
    return tagged, folders


def _gives_access(kind: type[Filing], *, lead_only: bool) -> ColumnElement[bool]:
    """Return the condition under which a group's tag or folder gives access to its recordings."""
    is_lead = GroupMembership.role == GroupRole.ADMIN
    if lead_only:
        return and_(is_lead, or_(kind.auto_share_on_apply, kind.share_with_group_lead))
    return or_(kind.auto_share_on_apply, and_(is_lead, kind.share_with_group_lead))
