"""Membership of groups, as conditions for queries: the query that loads a row also checks access to it."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Select, or_, select

from speakr.db import db
from speakr.domain.permissions import Actor, GroupRole
from speakr.models import GroupMembership
from speakr.models.filing import Filing


def group_ids(user_id: int, *, as_admin: bool = False) -> Select[int]:
    """Return a subquery of the groups that a user is a member of; with `as_admin`, an admin of."""
    query = select(GroupMembership.group_id).where(GroupMembership.user_id == user_id)
    return query.where(GroupMembership.role == GroupRole.ADMIN) if as_admin else query


def members(group_id: int) -> Select[int]:
    """Return a subquery of the members of a group."""
    return select(GroupMembership.user_id).where(GroupMembership.group_id == group_id)


def role(user_id: int, group_id: int) -> GroupRole | None:
    """Return a user's role in a group; None if they are not a member."""
    return db.session.scalar(
        select(GroupMembership.role).where(
            GroupMembership.user_id == user_id, GroupMembership.group_id == group_id
        )
    )


def roles(user_id: int) -> dict[int, GroupRole]:
    """Return a user's roles by group id."""
    rows = db.session.execute(
        select(GroupMembership.group_id, GroupMembership.role).where(GroupMembership.user_id == user_id)
    )
    return {row.group_id: row.role for row in rows}


def can_use(kind: type[Filing], actor: Actor) -> ColumnElement[bool]:
    """Return the condition for tags or folders that an actor may use: their own and those of their groups."""
    return or_(kind.user_id == actor.user_id, kind.group_id.in_(group_ids(actor.user_id)))


def can_edit(thing: Filing, actor: Actor, known: dict[int, GroupRole]) -> bool:
    """Tell whether an actor may change a tag or folder; `known` has the actor's roles by group id."""
    if thing.group_id is None:
        return thing.user_id == actor.user_id
    return known.get(thing.group_id) is GroupRole.ADMIN
