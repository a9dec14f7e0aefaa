"""Assign names to the speakers of one recording."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, delete, func, insert, select, update

from speakr.db import db
from speakr.domain import speakers as names
from speakr.domain.caps import CAPS, Noun
from speakr.domain.clock import now
from speakr.domain.errors import Forbidden, Invalid, NotFound
from speakr.domain.events import RecordingUpdated
from speakr.domain.jobs import JobState
from speakr.domain.permissions import Actor, Permission, Scope
from speakr.domain.transcript import Span
from speakr.models import Recording, RecordingSpeaker, Segment, Speaker
from speakr.services.accounts import users
from speakr.services.jobs import processing
from speakr.services.recordings import access
from speakr.services.search import indexing
from speakr.services.speech import confirmed_names, speakers, voice_profiles
from speakr.services.webhooks import events

MAX_ENTRIES = 200
_MAX_SHOWN_KEY_LENGTH = 60


@dataclass(frozen=True, slots=True)
class RecordingVoice:
    """A speaker in a recording."""

    label: str
    identified_name: str | None
    speaker_id: int | None
    segment_count: int
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Assigned:
    """The result of an assignment."""

    recording: Recording
    message: str
    is_summary_queued: bool
    profiles_learned: int


def look_at(
    actor: Actor, recording_id: int
) -> tuple[Sequence[RecordingVoice], Mapping[str, Sequence[voice_profiles.Suggestion]]]:
    """Return the speakers in order of first appearance, and suggestions for those without a name.

    Only the owner gets speaker ids and suggestions, because they come from the owner's list of speakers.
    """
    recording = access.get(actor, recording_id, Permission.VIEW)
    voices = _speakers_of(recording.id, with_ids=recording.user_id == actor.user_id)
    voices = voices[: CAPS[Noun.RECORDING_SPEAKERS]]
    if recording.user_id != actor.user_id:
        return voices, {}
    nameless = [each.label for each in voices if each.identified_name is None]
    return voices, voice_profiles.suggest(recording, nameless)


def assign(actor: Actor, recording_id: int, speaker_map: Any, *, with_summary: bool) -> Assigned:
    """Assign names to speakers. The map has a label or current name -> a name, `{name, isMe}`, or "" to remove a name.

    New names are added to the owner's list of speakers, also if another user assigns them.
    """
    owner_id = access.get(actor, recording_id, Permission.EDIT).user_id
    wanted = _read(actor, speaker_map)
    if with_summary and not actor.may(Scope.PROCESS):
        raise Forbidden(f"This token lacks the scope '{Scope.PROCESS}'.", code="scope_missing")
    speakers.hold_owner(owner_id)
    recording = _load_locked(recording_id)
    if not recording.has_transcription:
        raise Invalid("No transcription available - transcribe first", code="no_transcription")
    voices = _speakers_of(recording.id, with_ids=True)
    learned = _put(recording, voices, _by_label(voices, wanted))
    message, is_queued = "Speakers assigned", False
    if with_summary:
        job, _ = processing.summarize(actor, recording.id, None)
        is_queued = job.state is JobState.QUEUED
        message = (
            "Speakers assigned, summary queued"
            if is_queued
            else "Speakers assigned; the summary that is being written may not use them yet"
        )
    return Assigned(recording, message, is_queued, learned)


def recognise(
    recording: Recording,
    least: float,
    earlier: Sequence[confirmed_names.Confirmed] = (),
    spoken: Mapping[str, Sequence[Span]] | None = None,
) -> None:
    """Name speakers of a new transcript whose voices match a known profile with a cosine of at least `least`.

    Such names do not change voice profiles until a user confirms them. Names that were confirmed before this
    transcription (`earlier`) stay confirmed. `spoken` is when each label speaks now. The caller has locked the owner,
    then the recording.
    """
    labels = [each.label for each in _speakers_of(recording.id, with_ids=True)]
    again = confirmed_names.matched_again(recording.id, earlier, spoken or {})
    matched_ids = {known.speaker_id for known in again.values()}
    new = voice_profiles.recognised(recording, [label for label in labels if label not in again], least)
    found: dict[str, confirmed_names.Confirmed | voice_profiles.Suggestion] = {
        **again,
        **{label: who for label, who in new.items() if who.speaker_id not in matched_ids},
    }
    if not found:
        return
    db.session.execute(
        insert(RecordingSpeaker),
        [
            {
                "recording_id": recording.id,
                "label": label,
                "name": who.name,
                "speaker_id": who.speaker_id,
                "confirmed": label in again,
            }
            for label, who in found.items()
        ],
    )
    db.session.execute(
        update(Speaker)
        .where(Speaker.id.in_([who.speaker_id for who in found.values()]))
        .values(last_used_at=now()),
        execution_options={"synchronize_session": False},
    )
    listed = [name.strip() for name in (recording.participants or "").split(",")]
    _list_participants(recording, {*filter(None, listed), *(who.name for who in found.values())})


def add_names(recording: Recording, found: Mapping[str, str]) -> None:
    """Name labels that are new in a recording. The caller has locked the owner, then the recording."""
    ids = speakers.use(recording.user_id, set(found.values()))
    db.session.execute(
        insert(RecordingSpeaker),
        [
            {
                "recording_id": recording.id,
                "label": label,
                "name": name,
                "speaker_id": ids[name],
                "confirmed": True,
            }
            for label, name in found.items()
        ],
    )
    listed = [name.strip() for name in (recording.participants or "").split(",")]
    _list_participants(recording, {*filter(None, listed), *found.values()})


def _speakers_of(recording_id: int, *, with_ids: bool) -> list[RecordingVoice]:
    rows = db.session.execute(
        select(
            Segment.speaker,
            RecordingSpeaker.name,
            RecordingSpeaker.speaker_id,
            func.count().label("segment_count"),
            func.coalesce(RecordingSpeaker.confirmed, False).label("confirmed"),
        )
        .outerjoin(
            RecordingSpeaker,
            and_(
                RecordingSpeaker.recording_id == Segment.recording_id,
                RecordingSpeaker.label == Segment.speaker,
            ),
        )
        .where(Segment.recording_id == recording_id)
        .group_by(
            Segment.speaker, RecordingSpeaker.name, RecordingSpeaker.speaker_id, RecordingSpeaker.confirmed
        )
        .order_by(func.min(Segment.position))
    )
    return [
        RecordingVoice(label, name, speaker_id if with_ids else None, count, confirmed)
        for label, name, speaker_id, count, confirmed in rows
    ]


def _load_locked(recording_id: int) -> Recording:
    """Load a recording and lock its row until the unit of work ends."""
    recording = db.session.scalar(
        select(Recording)
        .where(Recording.id == recording_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if recording is None:  # deleted a moment ago
        raise NotFound("Recording not found")
    return recording


def _read(actor: Actor, speaker_map: Any) -> dict[str, str]:
    """Return the requested names, tidied. Shapes are checked here because each error message is documented."""
    if speaker_map is None or speaker_map == {}:
        raise _refusal("speaker_map is required")
    if not isinstance(speaker_map, dict):
        raise _refusal("speaker_map must be an object")
    if len(speaker_map) > MAX_ENTRIES:
        raise _refusal(f"speaker_map has more than {MAX_ENTRIES} entries")
    wanted = {}
    for key, value in speaker_map.items():
        name, is_me = (
            (value.get("name"), value.get("isMe", False)) if isinstance(value, dict) else (value, False)
        )
        if is_me is True:
            name = _own_name(actor)
        if not isinstance(name, str) or not isinstance(is_me, bool):
            raise _refusal(f'Invalid value type for speaker "{_shown(key)}"')
        wanted[key] = names.tidy(name)
    return wanted


def _own_name(actor: Actor) -> str:
    # Commas separate names in lists, so a comma in the user's own name is replaced.
    return (users.get(actor.user_id).name or actor.username).replace(",", " ")


def _by_label(voices: Sequence[RecordingVoice], wanted: Mapping[str, str]) -> dict[str, str | None]:
    """Return the new name of each label in the map. A name may stand for several labels; entries with a label win."""
    labels = {each.label for each in voices}
    found: dict[str, str | None] = {}
    unknown = []
    for key, name in sorted(wanted.items(), key=lambda entry: entry[0] in labels):
        shown = names.tidy(key)
        meant = [key] if key in labels else [each.label for each in voices if each.identified_name == shown]
        if not meant:
            unknown.append(_shown(key))
        for label in meant:
            is_removed = name in {"", label}
            if not is_removed:
                names.check(name, f"speaker_map.{_shown(key)}")
            found[label] = None if is_removed else name
    if unknown:
        raise _refusal(f"Not in this recording: {', '.join(unknown)}")
    return found


def _put(recording: Recording, voices: Sequence[RecordingVoice], found: Mapping[str, str | None]) -> int:
    """Store the names; return the number of voice profiles that learn from them."""
    ids = speakers.use(recording.user_id, {name for name in found.values() if name})
    before = {each.label: (each.identified_name, each.speaker_id, each.confirmed) for each in voices}
    after = {label: (name, ids[name], True) if name else (None, None, False) for label, name in found.items()}
    changed = {label: new for label, new in after.items() if new != before[label]}
    if changed:
        db.session.execute(
            delete(RecordingSpeaker).where(
                RecordingSpeaker.recording_id == recording.id, RecordingSpeaker.label.in_(changed)
            ),
            execution_options={"synchronize_session": False},
        )
        recording.updated_at = now()
    rows = [
        {
            "recording_id": recording.id,
            "label": label,
            "name": name,
            "speaker_id": speaker_id,
            "confirmed": True,
        }
        for label, (name, speaker_id, _) in changed.items()
        if name is not None
    ]
    if rows:
        db.session.execute(insert(RecordingSpeaker), rows)
    _list_participants(recording, ((before | after)[label][0] or label for label in before))
    return voice_profiles.learned(recording.id, [label for label, (name, _, _) in changed.items() if name])


def _list_participants(recording: Recording, shown: Iterable[str]) -> None:
    participants = names.listed(shown)
    if participants == recording.participants:
        return
    recording.participants = participants
    events.record(
        recording.user_id,
        RecordingUpdated(recording_id=recording.id, title=recording.title, fields_changed=("participants",)),
        recording_id=recording.id,
    )
    indexing.index(recording.id)


def _shown(key: str) -> str:
    return names.tidy(key)[:_MAX_SHOWN_KEY_LENGTH]


def _refusal(sentence: str) -> Invalid:
    return Invalid(sentence, errors={"speaker_map": [sentence]})
