"""Tags of users and of groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select

from speakr.db import db
from speakr.domain.caps import Noun
from speakr.domain.errors import Invalid
from speakr.domain.paging import Part, Window
from speakr.domain.permissions import Actor
from speakr.models import Recording, RecordingTag, Tag
from speakr.services import caps, paging
from speakr.services.accounts import memberships
from speakr.services.recordings import changes, filing


def list_page(actor: Actor, window: Window | None = None) -> Part[tuple[Tag, bool]]:
    """Return the actor's own tags by name, then those of their groups by name, each with whether they may edit it."""
    roles = memberships.roles(actor.user_id)
    query = (
        select(Tag)
        .where(memberships.can_use(Tag, actor))
        .order_by(Tag.group_id.is_not(None), func.lower(Tag.name), Tag.id)
    )
    return paging.objects(query, window).map(lambda tag: (tag, memberships.can_edit(tag, actor, roles)))


def look_at(actor: Actor, tag_id: int) -> tuple[Tag, bool]:
    """Return one tag that the actor may use, and whether they may edit it."""
    tag = filing.load(Tag, actor, tag_id)
    return tag, memberships.can_edit(tag, actor, memberships.roles(actor.user_id))


def create(actor: Actor, values: Mapping[str, Any]) -> Tag:
    """Create a tag, owned by a group if `group_id` is given."""
    owner = filing.owner_columns(actor, values.get("group_id"), "Only group admins can create group tags")
    caps.require_room(Noun.TAGS, select(Tag.id).filter_by(**owner))
    tag = Tag(**owner)
    _put(actor, tag, {"name": "", **values})
    return tag


def update(actor: Actor, tag_id: int, values: Mapping[str, Any]) -> Tag:
    """Change columns of a tag; its owner cannot change."""
    tag = filing.load(Tag, actor, tag_id, for_change=True)
    _put(actor, tag, values)
    return tag


def delete(actor: Actor, tag_id: int) -> None:
    """Delete a tag and remove it from all recordings."""
    tag = filing.load(Tag, actor, tag_id, for_change=True)
    tagged = select(RecordingTag.recording_id).where(RecordingTag.tag_id == tag.id)
    with changes.record_changes(Recording.id.in_(tagged), "tags"):
        db.session.delete(tag)


def _put(actor: Actor, tag: Tag, values: Mapping[str, Any]) -> None:
    if "name" in values and not values["name"]:
        raise Invalid("Tag name is required", errors={"name": ["must not be empty"]})
    taken = "Tag with this name already exists"
    with filing.unique_name(tag, taken, f"{taken} for this group"):
        filing.put(actor, tag, values)
        db.session.add(tag)
