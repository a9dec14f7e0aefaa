"""Add tags to recordings and remove them. Only the owner may: a group's tag shows the recording to the group."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from speakr.db import db
from speakr.domain.caps import CAPS, Noun
from speakr.domain.clock import now
from speakr.domain.errors import Invalid, NotFound
from speakr.domain.events import RecordingUpdated
from speakr.domain.permissions import Actor, Permission
from speakr.models import Recording, RecordingTag, Tag
from speakr.services import caps, row_locks
from speakr.services.accounts import memberships
from speakr.services.recordings import access
from speakr.services.webhooks import events


@dataclass(frozen=True, slots=True)
class Tagged:
    """The tags that were added, and a message for each that could not be."""

    added: Sequence[Tag]
    problems: Sequence[str]


def add(actor: Actor, recording_id: int, tag_ids: Sequence[int], names: Sequence[str] = ()) -> Tagged:
    """Add tags to a recording, after its existing ones. Tags that it already has are ignored."""
    if not tag_ids and not names:
        raise Invalid("tag_ids or tag_id required", errors={"tag_ids": ["is required"]})
    recording = access.get(actor, recording_id, Permission.OWN)
    tags = usable(actor, tag_ids, names)
    found_ids, found_names = {tag.id for tag in tags}, {tag.name for tag in tags}
    problems = [f"Tag {tag_id} not found" for tag_id in dict.fromkeys(tag_ids) if tag_id not in found_ids]
    problems += [f"Tag {name} not found" for name in dict.fromkeys(names) if name not in found_names]
    added = put_on([recording.id], tags)
    if added:
        _changed(recording)
    return Tagged([tag for tag in tags if (recording.id, tag.id) in added], problems)


def remove(actor: Actor, recording_id: int, tag_id: int) -> None:
    """Remove a tag from a recording."""
    recording = access.get(actor, recording_id, Permission.OWN)
    deleted: Any = db.session.execute(
        delete(RecordingTag).where(RecordingTag.recording_id == recording.id, RecordingTag.tag_id == tag_id)
    )
    if not deleted.rowcount:
        raise NotFound("Tag not on this recording")
    _changed(recording)


def replace(actor: Actor, recording_id: int, tag_ids: Sequence[int]) -> None:
    """Let a recording have these tags and no others. Tags that stay keep their place.

    Raises:
        Invalid: the actor may not use one of the tags, or there is none with this id.

    """
    recording = access.get(actor, recording_id, Permission.OWN)
    tags = required(actor, tag_ids)
    row_locks.hold(Tag, Tag.id.in_([tag.id for tag in tags]))
    row_locks.hold(
        Recording, Recording.id == recording.id
    )  # of two replacements at once, one wins as a whole
    kept = [tag.id for tag in tags]
    removed: Any = db.session.execute(
        delete(RecordingTag).where(
            RecordingTag.recording_id == recording.id, RecordingTag.tag_id.not_in(kept)
        )
    )
    if put_on([recording.id], tags) or removed.rowcount:
        _changed(recording)


def required(actor: Actor, tag_ids: Sequence[int]) -> list[Tag]:
    """Return tags that the actor may use.

    Raises:
        Invalid: there is no such tag, or the actor may not use it; the error does not say which.

    """
    tags = usable(actor, tag_ids)
    if missing := sorted(set(tag_ids) - {tag.id for tag in tags}):
        message = f"There is no tag {missing[0]}."
        raise Invalid(message, errors={"tag_ids": [message]})
    return tags


def usable(actor: Actor, tag_ids: Sequence[int], names: Sequence[str] = ()) -> list[Tag]:
    """Return the requested tags that the actor may use, in the order of the request, each once.

    If a personal and a group's tag have the same name, the name selects the personal one.
    """
    mine = memberships.can_use(Tag, actor)
    by_id = {tag.id: tag for tag in db.session.scalars(select(Tag).where(mine, Tag.id.in_(tag_ids)))}
    by_name = {
        tag.name: tag
        for tag in db.session.scalars(
            select(Tag).where(mine, Tag.name.in_(names)).order_by(Tag.user_id.is_not(None), Tag.id.desc())
        )
    }
    found = [by_id.get(tag_id) for tag_id in tag_ids] + [by_name.get(name) for name in names]
    return list({tag.id: tag for tag in found if tag is not None}.values())


def put_on(recording_ids: Sequence[int], tags: Sequence[Tag]) -> set[tuple[int, int]]:
    """Add tags to recordings that do not have them yet; return the new (recording, tag) pairs.

    Raises:
        Conflict: a recording would have more tags than allowed (`cap_reached`).

    """
    if not recording_ids or not tags:
        return set()
    if full(recording_ids, tags):
        raise caps.reached(Noun.RECORDING_TAGS)
    last = {
        row.recording_id: row.last
        for row in db.session.execute(
            select(RecordingTag.recording_id, func.max(RecordingTag.position).label("last"))
            .where(RecordingTag.recording_id.in_(recording_ids))
            .group_by(RecordingTag.recording_id)
        )
    }
    dialect: Any = sqlite if db.engine.dialect.name == "sqlite" else postgresql
    added = db.session.execute(
        dialect.insert(RecordingTag)
        .on_conflict_do_nothing()
        .returning(RecordingTag.recording_id, RecordingTag.tag_id),
        [
            {"recording_id": recording_id, "tag_id": tag.id, "position": last.get(recording_id, 0) + place}
            for recording_id in recording_ids
            for place, tag in enumerate(tags, start=1)
        ],
    )
    return {(row.recording_id, row.tag_id) for row in added}


def full(recording_ids: Sequence[int], tags: Sequence[Tag], removed: Collection[int] = ()) -> set[int]:
    """Return those of the recordings that cannot take all of these tags after the removed ones are gone."""
    if len(tags) > CAPS[Noun.RECORDING_TAGS]:
        return set(recording_ids)
    others = func.count().filter(RecordingTag.tag_id.not_in([*(tag.id for tag in tags), *removed]))
    return set(
        db.session.scalars(
            select(RecordingTag.recording_id)
            .where(RecordingTag.recording_id.in_(recording_ids))
            .group_by(RecordingTag.recording_id)
            .having(others > CAPS[Noun.RECORDING_TAGS] - len(tags))
        )
    )


def _changed(recording: Recording) -> None:
    recording.updated_at = now()
    events.record(
        recording.user_id,
        RecordingUpdated(recording_id=recording.id, title=recording.title, fields_changed=("tags",)),
        recording_id=recording.id,
    )
