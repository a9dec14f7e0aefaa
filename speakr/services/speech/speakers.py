"""Speakers: the named speakers of a user, and their names in all recordings.

Every change locks the owner first, then recordings, then names in recordings. This order prevents deadlocks.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    JSON,
    ColumnElement,
    Integer,
    Text,
    and_,
    cast,
    column,
    distinct,
    func,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from speakr.db import db
from speakr.domain import speakers as names
from speakr.domain.caps import Noun
from speakr.domain.clock import now
from speakr.domain.errors import Invalid, NotFound
from speakr.domain.events import RecordingUpdated
from speakr.domain.paging import Part, Window
from speakr.domain.permissions import Actor
from speakr.models import Recording, RecordingSpeaker, Speaker, User
from speakr.services import caps, paging, row_locks
from speakr.services.search import indexing
from speakr.services.speech import outdated_voices, voice_profiles
from speakr.services.webhooks import events

_USES = (
    # Counted and not stored: a counter could not follow deletions and repeated transcriptions of recordings.
    select(func.count(distinct(RecordingSpeaker.recording_id)))
    .where(RecordingSpeaker.speaker_id == Speaker.id)
    .correlate(Speaker)
    .scalar_subquery()
    .label("use_count")
)


@dataclass(frozen=True, slots=True)
class KnownSpeaker:
    """A speaker, the number of recordings they are named in, and the confidence of their voice profile (0 to 1)."""

    id: int
    name: str
    use_count: int
    last_used: datetime | None
    confidence_score: float | None
    has_outdated_voices: bool
    """Voices of an earlier model are stored, which match nothing until they are made again."""

    @property
    def has_voice_profile(self) -> bool:
        """Tell whether the speaker has a voice profile."""
        return self.confidence_score is not None


def list_page(actor: Actor, window: Window | None = None) -> Part[KnownSpeaker]:
    """List the actor's speakers: most recordings first, then last used first."""
    query = (
        select(Speaker.id, Speaker.name, _USES, Speaker.last_used_at)
        .where(Speaker.user_id == actor.user_id)
        .order_by(_USES.desc(), Speaker.last_used_at.desc().nulls_last(), Speaker.id)
    )
    found = paging.rows(query, window)
    ids = [row.id for row in found.items]
    confidences, outdated = voice_profiles.confidences(ids), outdated_voices.speakers_with_outdated(ids)
    return found.map(
        lambda row: KnownSpeaker(
            id=row.id,
            name=row.name,
            use_count=row.use_count,
            last_used=row.last_used_at,
            confidence_score=confidences.get(row.id),
            has_outdated_voices=row.id in outdated,
        )
    )


def use_count(speaker: Speaker) -> int:
    """Return the number of recordings in which a speaker is named."""
    return db.session.scalar(select(_USES).where(Speaker.id == speaker.id)) or 0


def create(actor: Actor, name: str) -> Speaker:
    """Create a speaker."""
    caps.require_room(Noun.SPEAKERS, select(Speaker.id).where(Speaker.user_id == actor.user_id))
    speaker = Speaker(user_id=actor.user_id)
    _put_name(speaker, _checked(name))
    return speaker


def rename(actor: Actor, speaker_id: int, name: str) -> Speaker:
    """Rename a speaker, in all recordings of the actor."""
    hold_owner(actor.user_id)
    speaker = _get(actor, speaker_id)
    old, new = speaker.name, _checked(name)
    if new != old:
        _put_name(speaker, new)
        _rename_in_recordings(speaker.id, old, speaker)
    return speaker


def merge(actor: Actor, speaker_id: int, into_id: int) -> Speaker:
    """Merge the first speaker into the second: recordings show the second one's name, and the first one is deleted."""
    if speaker_id == into_id:
        raise Invalid("A speaker cannot be merged into itself", errors={"into_id": ["is the same speaker"]})
    hold_owner(actor.user_id)
    speaker, target = _get(actor, speaker_id), _get(actor, into_id, f"Speaker {into_id} not found")
    _rename_in_recordings(speaker.id, speaker.name, target)
    uses = [moment for moment in (speaker.last_used_at, target.last_used_at) if moment is not None]
    target.last_used_at = max(uses, default=None)
    db.session.delete(speaker)
    return target


def split(actor: Actor, speaker_id: int, name: str, recording_ids: Collection[int]) -> Speaker:
    """Split a speaker: in these recordings, the name changes to a new speaker called `name`."""
    hold_owner(actor.user_id)
    speaker = _get(actor, speaker_id)
    theirs = set(
        db.session.scalars(
            select(RecordingSpeaker.recording_id).where(
                RecordingSpeaker.speaker_id == speaker.id, RecordingSpeaker.recording_id.in_(recording_ids)
            )
        )
    )
    missing = sorted(set(recording_ids) - theirs)
    if missing or not theirs:
        message = f"{speaker.name} is not named in: {', '.join(map(str, missing)) or 'no recording'}"
        raise Invalid(message, errors={"recording_ids": [message]})
    other = create(actor, name)
    other.last_used_at = now()
    _rename_in_recordings(speaker.id, speaker.name, other, within=theirs)
    return other


def delete(actor: Actor, speaker_id: int) -> None:
    """Delete a speaker; recordings keep the name."""
    hold_owner(actor.user_id)
    speaker = _get(actor, speaker_id)
    # The recordings too, because the names in them lose their reference to the speaker.
    named = select(RecordingSpeaker.recording_id).where(RecordingSpeaker.speaker_id == speaker.id)
    row_locks.hold(Recording, Recording.id.in_(named))
    db.session.delete(speaker)


def hold_owner(user_id: int) -> None:
    """Lock this user's speakers until the unit of work ends. SQLite needs no lock because it has only one writer."""
    # `FOR NO KEY UPDATE`: other transactions may insert and delete rows that refer to the user.
    db.session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))


def use(owner_id: int, used: Collection[str]) -> dict[str, int]:
    """Return the ids of an owner's speakers with these names, create missing ones, and set their time of last use.

    Raises:
        Conflict: the owner would have more speakers than allowed (`cap_reached`).

    """
    if not used:
        return {}
    theirs = Speaker.user_id == owner_id
    known = set(db.session.scalars(select(Speaker.name).where(theirs, Speaker.name.in_(used))))
    missing = sorted(set(used) - known)
    moment = now()
    if missing:
        caps.require_room(Noun.SPEAKERS, select(Speaker.id).where(theirs), len(missing))
        dialect: Any = sqlite if db.engine.dialect.name == "sqlite" else postgresql
        db.session.execute(
            dialect.insert(Speaker).on_conflict_do_nothing(index_elements=[Speaker.user_id, Speaker.name]),
            [{"user_id": owner_id, "name": name, "created_at": moment} for name in missing],
        )
    found = db.session.execute(
        update(Speaker)
        .where(theirs, Speaker.name.in_(used))
        .values(last_used_at=moment)
        .returning(Speaker.name, Speaker.id),
        execution_options={"synchronize_session": False},
    )
    return {row.name: row.id for row in found}


def _get(actor: Actor, speaker_id: int, sentence: str = "Speaker not found") -> Speaker:
    speaker = db.session.scalar(
        select(Speaker).where(Speaker.id == speaker_id, Speaker.user_id == actor.user_id)
    )
    if speaker is None:
        raise NotFound(sentence)
    return speaker


def _checked(raw: str) -> str:
    name = names.tidy(raw)
    if not name:
        raise Invalid("Speaker name is required", errors={"name": ["must not be empty"]})
    names.check(name, "name")
    return name


def _put_name(speaker: Speaker, name: str) -> None:
    try:
        with db.session.begin_nested():
            speaker.name = name
            db.session.add(speaker)
    except IntegrityError:
        raise Invalid(
            "Speaker with this name already exists", code="name_taken", errors={"name": ["is in use"]}
        ) from None


def _rename_in_recordings(
    speaker_id: int, old: str, target: Speaker, within: Collection[int] | None = None
) -> None:
    """Rename a speaker to `target` in recordings, with a number of statements that does not depend on the recordings.

    within: recordings in which the speaker is named; None means all of the owner's.
    """
    named = _named(target.user_id, speaker_id, old)
    is_within: ColumnElement[bool] = true()
    if within is not None:
        named = and_(RecordingSpeaker.speaker_id == speaker_id, RecordingSpeaker.recording_id.in_(within))
        is_within = Recording.id.in_(within)
    affected = db.session.execute(
        select(
            Recording.id,
            Recording.title,
            Recording.participants,
            Recording.id.in_(select(RecordingSpeaker.recording_id).where(named)).label("is_named"),
        )
        .where(
            Recording.user_id == target.user_id,
            is_within,
            or_(
                Recording.id.in_(select(RecordingSpeaker.recording_id).where(named)),
                Recording.participants.contains(old, autoescape=True),
            ),
        )
        .order_by(Recording.id)
        .with_for_update(key_share=True, of=Recording)
    ).all()
    lists = {row.id: names.renamed(row.participants, old, target.name) for row in affected}
    changed = [row for row in affected if lists[row.id] != row.participants]
    _check_lengths(lists)
    db.session.execute(
        update(RecordingSpeaker).where(named).values(name=target.name, speaker_id=target.id),
        execution_options={"synchronize_session": False},
    )
    touched = [row.id for row in affected if row.is_named or lists[row.id] != row.participants]
    _put_lists([(recording_id, lists[recording_id]) for recording_id in touched])
    events.record_all(
        target.user_id,
        [
            RecordingUpdated(recording_id=row.id, title=row.title, fields_changed=("participants",))
            for row in changed
        ],
    )
    indexing.index(*(row.id for row in changed))


def _put_lists(lists: Sequence[tuple[int, str | None]]) -> None:
    """Write the participants of all recordings in one statement: 10,000 single statements take seconds."""
    written = orjson.dumps([{"id": recording_id, "list": text} for recording_id, text in lists]).decode()
    if db.engine.dialect.name == "sqlite":
        each = func.json_each(written).table_valued("value").c.value
        recording_id: Any = func.json_extract(each, "$.id")
        participants: Any = func.json_extract(each, "$.list")
    else:
        fields = (column("id", Integer), column("list", Text))
        rows = func.json_to_recordset(cast(literal(written, Text), JSON)).table_valued(*fields)
        found = rows.render_derived(with_types=True).c
        recording_id, participants = found.id, found.list
    db.session.execute(
        update(Recording).where(Recording.id == recording_id).values(participants=participants),
        execution_options={"synchronize_session": False},
    )


def _named(owner_id: int, speaker_id: int, name: str) -> ColumnElement[bool]:
    """Return the condition for rows that name a speaker, also those left by a deleted speaker of the same name."""
    owners = select(Recording.id).where(Recording.user_id == owner_id)
    return or_(
        RecordingSpeaker.speaker_id == speaker_id,
        and_(
            RecordingSpeaker.speaker_id.is_(None),
            RecordingSpeaker.name == name,
            RecordingSpeaker.recording_id.in_(owners),
        ),
    )


def _check_lengths(lists: dict[int, str | None]) -> None:
    """Refuse a name that would make a list of participants too long."""
    for recording_id, text in lists.items():
        if len(text or "") > names.MAX_LIST_LENGTH:
            raise Invalid(
                f"With that name the participants of recording {recording_id} would be longer than "
                f"{names.MAX_LIST_LENGTH} characters",
                errors={"name": ["makes a list of participants too long"]},
            )
