"""Correcting transcripts.

A change is made from what was read, outside of any transaction, for aligning long texts takes a while. It is then
stored only if the transcript has not changed since: of two changes at once the second is made anew from what the
first has left, or refused if its caller named a revision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select

from speakr.db import db, unit_of_work
from speakr.domain import speakers as names
from speakr.domain.errors import Conflict, Invalid, NotFound, NotModifiedSince
from speakr.domain.jobs import JobKind, dedupe_key
from speakr.domain.permissions import Actor, Permission
from speakr.domain.speakers import is_label
from speakr.domain.transcript_history import RevisionKind, StoredSegment, changes_between
from speakr.models import Recording
from speakr.services.corrections import followers, revisions
from speakr.services.corrections.revisions import Extent, NewRevision
from speakr.services.jobs import queueing
from speakr.services.recordings import access
from speakr.services.speech import recording_speakers, speakers

_MAX_TRIES = 5


@dataclass(frozen=True, slots=True)
class TranscriptState:
    """A transcript as it was read."""

    recording_id: int
    owner_id: int
    revision: int
    segments: Sequence[StoredSegment]
    names: Mapping[str, str]
    """Of labels."""
    duration: float


@dataclass(frozen=True, slots=True)
class Edit:
    """A transcript as it will be, and the names of labels that are new in it."""

    segments: Sequence[StoredSegment]
    new_names: Mapping[str, str] = field(default_factory=dict)
    is_step: bool = False
    """It goes back or forth in the history, to where `undo_to` and `redo_to` can be reached."""
    undo_to: int | None = None
    redo_to: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Edited:
    """What became of a change; the revision is the one read if nothing had to be changed."""

    revision: int
    extent: Extent = field(default_factory=Extent)


Make = Callable[[TranscriptState], Edit]


def revision_of(actor: Actor, recording_id: int) -> int:
    """Return the revision of a transcript that the actor may correct."""
    access.get(actor, recording_id, Permission.EDIT)
    # Not from the row that was loaded: that may have been long ago.
    query = select(Recording.transcript_revision).where(Recording.id == recording_id)
    return db.session.scalar(query) or 0


def load(actor: Actor, recording_id: int, permission: Permission = Permission.EDIT) -> TranscriptState:
    """Read a transcript that the actor may correct.

    Raises:
        NotFound: there is none.

    """
    recording = access.get(actor, recording_id, permission)
    # Asked anew, for the row that was loaded may be old, and before the segments: if another request writes in
    # between, this revision is too old to be stored to.
    row = db.session.execute(
        select(Recording.transcript_revision, Recording.has_transcription, Recording.audio_duration).where(
            Recording.id == recording.id
        )
    ).first()
    if row is None or not row.has_transcription:
        raise NotFound("No transcription available", code="no_transcription")
    segments = revisions.segments_of(recording.id)
    ends = [segment.end for segment in segments]
    return TranscriptState(
        recording_id=recording.id,
        owner_id=recording.user_id,
        revision=row.transcript_revision,
        segments=segments,
        names=revisions.names_of(recording.id),
        duration=max([row.audio_duration or 0.0, *ends]),
    )


def change(
    actor: Actor, recording_id: int, kind: RevisionKind, make: Make, *, revision: int | None = None
) -> Edited:
    """Change a transcript; opens its own units of work.

    Raises:
        NotModifiedSince: it is no longer at `revision`.
        Conflict: it is being transcribed, or others change it all the time.

    """
    for _ in range(_MAX_TRIES):
        state = load(actor, recording_id)
        if revision is not None and revision != state.revision:
            raise NotModifiedSince("The transcript has changed since you read it: read it again and merge.")
        edit = make(state)
        hunks = changes_between(state.segments, edit.segments)
        if not hunks and not edit.new_names:
            _refuse_while_transcribing(recording_id, state.owner_id)
            return Edited(state.revision)
        extent = revisions.extent_of(hunks, edit.segments)
        note = NewRevision(
            kind,
            actor.user_id,
            hunks,
            extent,
            undo_to=edit.undo_to if edit.is_step else state.revision,
            redo_to=edit.redo_to,
            details=edit.details,
        )
        if _store(actor, state, edit, note):
            return Edited(state.revision + 1, extent)
    raise Conflict("Others change this transcript at this moment: read it again.", code="edit_conflict")


def _store(actor: Actor, state: TranscriptState, edit: Edit, note: NewRevision) -> bool:
    """Store a change if the transcript is as it was read; tell whether it was."""
    with unit_of_work():
        # In this order, as in all that changes speakers.
        speakers.hold_owner(state.owner_id)
        recording = db.session.scalar(
            select(Recording)
            .where(Recording.id == state.recording_id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
        if recording is None or recording.transcript_revision != state.revision:
            access.get(actor, state.recording_id, Permission.EDIT)
            return False
        access.get(actor, recording.id, Permission.EDIT)
        _refuse_while_transcribing(recording.id, recording.user_id)
        revisions.keep_recognized(recording.id, state.segments)
        revisions.write_rows(recording.id, state.segments, edit.segments)
        revisions.add(recording, note)
        if edit.new_names:
            recording_speakers.add_names(recording, edit.new_names)
        followers.on_changed(recording, note.kind)
    return True


def _refuse_while_transcribing(recording_id: int, owner_id: int) -> None:
    if queueing.active(dedupe_key(JobKind.TRANSCRIBE, owner_id, recording_id)) is not None:
        raise Conflict(
            "The recording is being transcribed: its text is about to be replaced.", code="being_transcribed"
        )


class Labels:
    """The labels of speakers that a request names, new ones among them."""

    def __init__(self, state: TranscriptState) -> None:
        self._recording_id = state.recording_id
        self._used = {segment.speaker for segment in state.segments} | set(state.names)
        self._by_name: dict[str, str] = {}
        for segment in state.segments:
            if segment.speaker in state.names:
                self._by_name.setdefault(state.names[segment.speaker], segment.speaker)
        for label, name in state.names.items():
            self._by_name.setdefault(name, label)
        self.new_names: dict[str, str] = {}

    def label_of(self, speaker: str, place: str = "speaker") -> str:
        """Return the label for a label or a name; a name that is new here gets a new label.

        Raises:
            Invalid: it can be neither; `place` is the field that it was sent in.

        """
        if speaker in self._used:
            return speaker
        name = names.tidy(speaker)
        if not name:
            raise Invalid("A speaker has a label or a name", errors={place: ["must not be empty"]})
        if name in self._by_name:
            return self._by_name[name]
        if is_label(name) and len(name) <= names.MAX_NAME_LENGTH:
            self._used.add(name.upper())
            return name.upper()
        names.check(name, place)
        # A label that stood for one person in an earlier text must not stand for another.
        self._used |= revisions.labels_in_history(self._recording_id)
        label = next(
            label
            for number in range(len(self._used) + 1)
            if (label := f"SPEAKER_{number:02}") not in self._used
        )
        self._used.add(label)
        self._by_name[name] = label
        self.new_names[label] = name
        return label


def named(state: TranscriptState, segments: Sequence[StoredSegment]) -> list[StoredSegment]:
    """Return segments with the names of their speakers instead of labels."""
    return [replace(each, speaker=state.names.get(each.speaker, each.speaker)) for each in segments]
