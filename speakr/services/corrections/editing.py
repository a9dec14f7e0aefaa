"""Apply corrections to transcripts.

`change` computes a correction from a snapshot, outside of any transaction, because aligning long texts takes time.
It then stores the result only if the transcript has not changed since. Of two concurrent corrections, the second is
computed again from the result of the first, or refused if its caller sent a revision.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select

from speakr.db import db, unit_of_work
from speakr.domain import speakers as names
from speakr.domain.caps import CAPS, Noun
from speakr.domain.errors import Conflict, Invalid, NotFound, NotModifiedSince
from speakr.domain.jobs import JobKind, dedupe_key
from speakr.domain.permissions import Actor, Permission
from speakr.domain.speakers import is_label
from speakr.domain.transcript import LONG_TEXT, is_long, mean_confidence, numbered_label
from speakr.domain.transcript_edits import MAX_SEGMENTS
from speakr.domain.transcript_history import (
    RevisionKind,
    StoredSegment,
    changes_between,
    packed,
    packed_segments,
)
from speakr.models import Recording
from speakr.offload import drop, run_cpu
from speakr.services import caps, long_reads
from speakr.services.corrections import followers, revisions, segment_rows
from speakr.services.corrections.revisions import Extent, NewRevision
from speakr.services.corrections.segment_rows import RowChanges
from speakr.services.jobs import queueing
from speakr.services.recordings import access
from speakr.services.speech import recording_speakers, speakers

_MAX_TRIES = 5


@dataclass(frozen=True, slots=True)
class TranscriptState:
    """A snapshot of a transcript."""

    recording_id: int
    owner_id: int
    revision: int
    segments: Sequence[StoredSegment]
    names: Mapping[str, str]
    """Speaker names by label."""
    duration: float


@dataclass(frozen=True, slots=True)
class Edit:
    """The new content of a transcript, and the names of its new labels."""

    segments: Sequence[StoredSegment]
    new_names: Mapping[str, str] = field(default_factory=dict)
    is_step: bool = False
    """True for an undo or redo; `undo_to` and `redo_to` are then the revisions that can be reached next."""
    undo_to: int | None = None
    redo_to: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Edited:
    """The result of a correction; `revision` is the one that was read if nothing changed."""

    revision: int
    extent: Extent = field(default_factory=Extent)


Make = Callable[[TranscriptState], Callable[[], Edit]]
"""Reads what a correction needs besides the state, and returns a computation that uses no database."""


@dataclass(frozen=True, slots=True)
class _Computed:
    """A correction, and all that is written of it."""

    edit: Edit
    note: NewRevision
    rows: RowChanges
    recognized: bytes
    """The recognised text, packed, if it is not stored yet."""


def revision_of(actor: Actor, recording_id: int) -> int:
    """Return the revision of a transcript that the actor may correct."""
    access.get(actor, recording_id, Permission.EDIT)
    # Query the column: the loaded row may be stale.
    query = select(Recording.transcript_revision).where(Recording.id == recording_id)
    return db.session.scalar(query) or 0


def load(actor: Actor, recording_id: int, permission: Permission = Permission.EDIT) -> TranscriptState:
    """Read a transcript that the actor may correct.

    Raises:
        NotFound: the recording has no transcript.

    """
    recording = access.get(actor, recording_id, permission)
    # Query the columns, as the loaded row may be stale, and do so before reading the segments: if another request
    # writes in between, this revision is outdated and `_store` refuses it.
    row = db.session.execute(
        select(
            Recording.transcript_revision,
            Recording.audio_duration,
            Recording.has_transcription,
            Recording.transcription_engine,
        ).where(Recording.id == recording.id)
    ).first()
    was_transcribed = row is not None and (
        row.transcription_engine is not None or row.transcript_revision > 0
    )
    if row is None or not (row.has_transcription or was_transcribed):
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
    actor: Actor,
    recording_id: int,
    kind: RevisionKind,
    make: Make,
    *,
    revision: int | None = None,
    size: int = 0,
) -> Edited:
    """Correct a transcript; `size` is the number of characters in the request. Opens its own units of work.

    Raises:
        NotModifiedSince: the transcript is no longer at `revision`.
        Conflict: the recording is being transcribed, or other requests kept changing it.

    """
    access.get(actor, recording_id, Permission.EDIT)  # before this waits for a turn
    for _ in range(_MAX_TRIES):
        with long_reads.whole_transcript(recording_id, size):
            done = _try(actor, recording_id, kind, make, revision=revision, size=size)
        if done is not None:
            return done
    raise Conflict("Other requests are changing this transcript: read it again.", code="edit_conflict")


def _try(
    actor: Actor, recording_id: int, kind: RevisionKind, make: Make, *, revision: int | None, size: int
) -> Edited | None:
    """Correct the transcript once; return None if another request changed it meanwhile."""
    state = load(actor, recording_id)
    if revision is not None and revision != state.revision:
        raise NotModifiedSince("The transcript has changed since you read it: read it again and merge.")
    is_first = not revisions.has_recognized(recording_id)
    edit = make(state)
    compute = functools.partial(_compute, actor, state, edit, kind, is_first=is_first)
    computed = run_cpu(compute, is_long=size > LONG_TEXT or is_long(state.segments))
    if computed is None:
        _refuse_while_transcribing(recording_id, state.owner_id)
        return Edited(state.revision)
    is_stored = _store(actor, state, computed)
    drop(state.segments, computed.edit.segments, computed.rows.changed, computed.rows.added)
    return Edited(state.revision + 1, computed.note.extent) if is_stored else None


def _compute(
    actor: Actor, state: TranscriptState, make: Callable[[], Edit], kind: RevisionKind, *, is_first: bool
) -> _Computed | None:
    """Compute a correction and all rows; return None if it changes nothing. Uses no database."""
    edit = make()
    if not edit.is_step:  # what was stored before may come back
        _check_size(state, edit)
    hunks = changes_between(state.segments, edit.segments)
    if not hunks and not edit.new_names:
        return None
    note = NewRevision(
        kind,
        actor.user_id,
        packed(hunks),
        revisions.extent_of(hunks, edit.segments),
        undo_to=edit.undo_to if edit.is_step else state.revision,
        redo_to=edit.redo_to,
        details=edit.details,
    )
    recognized = packed_segments(state.segments) if is_first else b""
    return _Computed(edit, note, segment_rows.planned(state.segments, edit.segments), recognized)


def _check_size(state: TranscriptState, edit: Edit) -> None:
    """Refuse to make a transcript longer than allowed; one that is so already may become shorter."""
    if len(edit.segments) > max(MAX_SEGMENTS, len(state.segments)):
        message = f"has at most {MAX_SEGMENTS} segments"
        raise Invalid(f"The transcript {message}", errors={"segments": [message]})
    before, after = ({each.speaker for each in segments} for segments in (state.segments, edit.segments))
    if len(after) > max(CAPS[Noun.RECORDING_SPEAKERS], len(before)):
        raise caps.reached(Noun.RECORDING_SPEAKERS)


def _store(actor: Actor, state: TranscriptState, computed: _Computed) -> bool:
    """Store a correction if the transcript has not changed since it was read; return whether it was stored."""
    with unit_of_work():
        # Lock the owner, then the recording: the order of all code that changes speakers.
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
        if computed.recognized:
            revisions.keep_recognized(recording.id, computed.recognized)
        segment_rows.write(recording.id, computed.rows)
        revisions.add(recording, computed.note)
        recording.has_transcription = bool(computed.edit.segments)
        recording.confidence = mean_confidence(each.confidence for each in computed.edit.segments)
        if computed.edit.new_names:
            recording_speakers.add_names(recording, computed.edit.new_names)
        followers.on_changed(recording, computed.note.kind)
    return True


def _refuse_while_transcribing(recording_id: int, owner_id: int) -> None:
    if queueing.active(dedupe_key(JobKind.TRANSCRIBE, owner_id, recording_id)) is not None:
        raise Conflict(
            "The recording is being transcribed: its text is about to be replaced.", code="being_transcribed"
        )


class Labels:
    """The speaker labels of a request, including new ones.

    wanted: the labels and names of the request. If one of them is new, the whole history is read, because a label that
    stands for one speaker in an earlier revision must not stand for another one.
    """

    def __init__(self, state: TranscriptState, wanted: Iterable[str] = ()) -> None:
        self._used = {segment.speaker for segment in state.segments} | set(state.names)
        self._by_name: dict[str, str] = {}
        for segment in state.segments:
            if segment.speaker in state.names:
                self._by_name.setdefault(state.names[segment.speaker], segment.speaker)
        for label, name in state.names.items():
            self._by_name.setdefault(name, label)
        self.new_names: dict[str, str] = {}
        self._number = 0
        if any(not self._is_known(each) for each in set(wanted)):
            self._used |= revisions.labels_in_history(state.recording_id)

    def _is_known(self, speaker: str) -> bool:
        return speaker in self._used or names.tidy(speaker) in self._by_name

    def label_of(self, speaker: str, place: str = "speaker") -> str:
        """Return the label of a label or a name; a name that is new in the recording gets a new label.

        Raises:
            Invalid: the value is neither; `place` is the field that it was sent in.

        """
        if speaker in self._used:
            return speaker
        name = names.tidy(speaker)
        if not name:
            raise Invalid("A speaker needs a label or a name", errors={place: ["must not be empty"]})
        if name in self._by_name:
            return self._by_name[name]
        if is_label(name) and len(name) <= names.MAX_NAME_LENGTH:
            self._used.add(name.upper())
            return name.upper()
        names.check(name, place)
        label = self._free_label()
        self._by_name[name] = label
        self.new_names[label] = name
        return label

    def _free_label(self) -> str:
        if len(self.new_names) >= CAPS[Noun.RECORDING_SPEAKERS]:
            raise caps.reached(Noun.RECORDING_SPEAKERS)
        while (label := numbered_label(self._number)) in self._used:
            self._number += 1
        self._used.add(label)
        return label


def named(state: TranscriptState, segments: Sequence[StoredSegment]) -> list[StoredSegment]:
    """Return segments with speaker names in place of labels."""
    return [replace(each, speaker=state.names.get(each.speaker, each.speaker)) for each in segments]
