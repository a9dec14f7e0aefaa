"""Groups and their members. Every change of members locks the group's row, so that a group keeps at least one admin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, func, select, update
from sqlalchemy.exc import IntegrityError

from speakr.db import db
from speakr.domain.caps import Noun
from speakr.domain.errors import Conflict, Forbidden, Invalid, NotFound
from speakr.domain.paging import Part, Window
from speakr.domain.permissions import Actor, GroupRole
from speakr.models import Folder, Group, GroupMembership, Recording, RecordingTag, Tag, User
from speakr.services import caps, paging
from speakr.services.accounts import administration, memberships, users
from speakr.services.recordings import changes


@dataclass(frozen=True, slots=True)
class Shown:
    """A group as the actor sees it; `role` is None for a site admin who is not a member."""

    group: Group
    role: GroupRole | None
    member_count: int


def list_page(actor: Actor, window: Window | None = None, *, everything: bool = False) -> Part[Shown]:
    """Return the actor's groups by name; with `everything`, return all groups to a site admin."""
    if everything:
        administration.require_admin(actor)
    query = _shown(actor)
    if not everything:
        query = query.where(Group.id.in_(memberships.group_ids(actor.user_id)))
    found = paging.rows(query.order_by(func.lower(Group.name), Group.id), window)
    return found.map(lambda row: Shown(*row))


def get(actor: Actor, group_id: int) -> Shown:
    """Load a group for a member or a site admin.

    Raises:
        NotFound: the group does not exist, or the actor is neither a member nor a site admin.

    """
    row = db.session.execute(_shown(actor).where(Group.id == group_id)).first()
    if row is None or (row.role is None and not actor.acts_as_admin):
        raise NotFound("Group not found")
    return Shown(*row)


def _shown(actor: Actor) -> Select[*tuple[Any, ...]]:
    role = (
        select(GroupMembership.role)
        .where(GroupMembership.group_id == Group.id, GroupMembership.user_id == actor.user_id)
        .scalar_subquery()
        .label("role")
    )
    count = (
        select(func.count())
        .select_from(GroupMembership)
        .where(GroupMembership.group_id == Group.id)
        .scalar_subquery()
    )
    return select(Group, role, count.label("member_count"))


def create(actor: Actor, *, name: str, description: str | None = None) -> Group:
    """Create a group whose first admin is the site admin who creates it."""
    administration.require_admin(actor)
    group = found(name=name, description=description)
    _require_room(group.id, actor.user_id)
    db.session.add(GroupMembership(group_id=group.id, user_id=actor.user_id, role=GroupRole.ADMIN))
    db.session.flush()  # so that the response counts the member
    return group


def found(*, name: str, description: str | None = None) -> Group:
    """Create a group without members."""
    caps.require_room(Noun.GROUPS, select(Group.id))
    group = Group()
    _put(group, {"name": name, "description": description})
    return group


def update_group(actor: Actor, group_id: int, changes: Mapping[str, Any]) -> None:
    """Change a group's name or description."""
    _put(_locked(actor, group_id), changes)


def _put(group: Group, changes: Mapping[str, Any]) -> None:
    if "name" in changes and not changes["name"].strip():
        raise Invalid("A group needs a name.", errors={"name": ["must not be empty"]})
    try:
        with db.session.begin_nested():
            for column in ("name", "description"):
                if column in changes:
                    setattr(group, column, (changes[column] or "").strip() or None)
            db.session.add(group)
    except IntegrityError:
        raise Invalid(
            "A group with this name already exists.", code="name_taken", errors={"name": ["is in use"]}
        ) from None


def remove(actor: Actor, group_id: int) -> None:
    """Delete a group with its tags and folders; recordings in those folders remain, without a folder."""
    group = _locked(actor, group_id)
    tagged, filed = _filed_in(group_id)
    with changes.record_changes(tagged, "tags"), changes.record_changes(filed, "folder_id"):
        db.session.delete(group)


def _filed_in(group_id: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return two conditions: recordings with a tag of the group, and recordings in a folder of the group."""
    tagged = (
        select(RecordingTag.recording_id)
        .join(Tag, Tag.id == RecordingTag.tag_id)
        .where(Tag.group_id == group_id)
    )
    folders = select(Folder.id).where(Folder.group_id == group_id)
    return Recording.id.in_(tagged), Recording.folder_id.in_(folders)


def members(actor: Actor, group_id: int, window: Window | None = None) -> Part[Any]:
    """Return a group's members (user_id, username, name, role, joined_at), admins first."""
    get(actor, group_id)
    query = _members(group_id).order_by(GroupMembership.role != GroupRole.ADMIN, func.lower(User.username))
    return paging.rows(query, window)


def member(group_id: int, user_id: int) -> Any:
    """Return one member in the form that `members` lists. Checks no permission."""
    return db.session.execute(_members(group_id).where(User.id == user_id)).one()


def _members(group_id: int) -> Select[*tuple[Any, ...]]:
    return (
        select(
            User.id.label("user_id"),
            User.username,
            User.name,
            GroupMembership.role,
            GroupMembership.joined_at,
        )
        .join(GroupMembership, GroupMembership.user_id == User.id)
        .where(GroupMembership.group_id == group_id)
    )


def add_member(
    actor: Actor, group_id: int, *, user_id: int | None, username: str | None, role: GroupRole
) -> Any:
    """Add a user to a group; return the member."""
    _locked(actor, group_id)
    user = users.named(user_id=user_id, username=username)
    if memberships.role(user.id, group_id) is not None:
        raise Conflict(f"{user.username} is already a member of this group.", code="already_member")
    _require_room(group_id, user.id)
    db.session.add(GroupMembership(group_id=group_id, user_id=user.id, role=role))
    db.session.flush()  # so that it can be read back
    return member(group_id, user.id)


def _require_room(group_id: int, user_id: int) -> None:
    members_now = select(GroupMembership.user_id).where(GroupMembership.group_id == group_id)
    caps.require_room(Noun.MEMBERS, members_now)
    caps.require_room(Noun.MEMBERSHIPS, memberships.group_ids(user_id))


def change_role(actor: Actor, group_id: int, user_id: int, role: GroupRole) -> Any:
    """Change a member's role in the group; return the member."""
    _locked(actor, group_id)
    before = _role_of_member(group_id, user_id)
    if before is GroupRole.ADMIN and role is not GroupRole.ADMIN:
        _require_another_admin(group_id, user_id)
    db.session.execute(
        update(GroupMembership)
        .where(GroupMembership.group_id == group_id, GroupMembership.user_id == user_id)
        .values(role=role)
    )
    return member(group_id, user_id)


def remove_member(actor: Actor, group_id: int, user_id: int) -> None:
    """Remove a member from a group; members may remove themselves.

    The member's own recordings lose the group's tags and folders. From then on the former member does not see the
    group's recordings, and the group does not see theirs.
    """
    _locked(actor, group_id, as_admin=user_id != actor.user_id)
    if _role_of_member(group_id, user_id) is GroupRole.ADMIN:
        _require_another_admin(group_id, user_id)
    db.session.execute(
        delete(GroupMembership).where(
            GroupMembership.group_id == group_id, GroupMembership.user_id == user_id
        )
    )
    tagged, filed = _filed_in(group_id)
    is_theirs = Recording.user_id == user_id
    theirs = select(Recording.id).where(is_theirs)
    tags = select(Tag.id).where(Tag.group_id == group_id)
    with changes.record_changes(and_(is_theirs, tagged), "tags"):
        db.session.execute(
            delete(RecordingTag).where(RecordingTag.recording_id.in_(theirs), RecordingTag.tag_id.in_(tags))
        )
    with changes.record_changes(and_(is_theirs, filed), "folder_id"):
        db.session.execute(update(Recording).where(is_theirs, filed).values(folder_id=None))


def _locked(actor: Actor, group_id: int, *, as_admin: bool = True) -> Group:
    """Load a group that the actor may manage, and lock its row until this unit of work ends."""
    group = db.session.scalar(
        select(Group)
        .where(Group.id == group_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    role = None if group is None else memberships.role(actor.user_id, group_id)
    if group is None or (role is None and not actor.acts_as_admin):
        raise NotFound("Group not found")
    if as_admin and role is not GroupRole.ADMIN and not actor.acts_as_admin:
        raise Forbidden("Only the group's admins can do this", code="group_admin_required")
    return group


def _role_of_member(group_id: int, user_id: int) -> GroupRole:
    role = memberships.role(user_id, group_id)
    if role is None:
        raise NotFound("This group has no such member")
    return role


def _require_another_admin(group_id: int, user_id: int) -> None:
    others = select(GroupMembership.user_id).where(
        GroupMembership.group_id == group_id,
        GroupMembership.role == GroupRole.ADMIN,
        GroupMembership.user_id != user_id,
    )
    if db.session.scalar(others.limit(1)) is None:
        raise Conflict(
            "This is the group's last admin: make another member admin first, or delete the group.",
            code="last_admin",
        )
