"""The history of corrections: list, compare, undo, redo and restore revisions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from speakr.db import db
from speakr.domain.errors import Conflict, NotFound
from speakr.domain.permissions import Actor, Permission
from speakr.domain.transcript import is_long
from speakr.domain.transcript_history import (
    RevisionKind,
    StoredSegment,
    WordChange,
    cut,
    text_of,
    unpacked,
    word_diff,
)
from speakr.models import TranscriptRevision, User
from speakr.offload import run_cpu
from speakr.services.corrections import editing, revisions
from speakr.services.corrections.editing import Edit, Edited, TranscriptState
from speakr.services.recordings import access

CURRENT, RAW = "current", "raw"
"""Versions with a name; all other versions are revision numbers."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One revision; lists are sorted newest first."""

    number: int
    kind: RevisionKind
    username: str | None
    created_at: datetime
    words_added: int
    words_removed: int
    segments_changed: int
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class History:
    """A page of the history, and the revisions that undo and redo would restore."""

    revision: int
    undo_to: int | None
    redo_to: int | None
    total: int
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Change:
    """Adjacent segments that a revision changed, with speaker names; `segment_index` counts in the later text.

    A change of thousands of segments is several of these.
    """

    segment_index: int
    before: Sequence[StoredSegment]
    after: Sequence[StoredSegment]
    words: Sequence[WordChange]


def look_at(actor: Actor, recording_id: int, *, page: int, per_page: int) -> History:
    """List the revisions of a transcript, newest first."""
    recording = access.get(actor, recording_id, Permission.VIEW)
    of_recording = TranscriptRevision.recording_id == recording.id
    total = db.session.scalar(select(func.count()).select_from(TranscriptRevision).where(of_recording))
    rows = db.session.execute(
        select(TranscriptRevision, User.username)
        .outerjoin(User, User.id == TranscriptRevision.user_id)
        .where(of_recording)
        .order_by(TranscriptRevision.number.desc())
        .limit(per_page)
        .offset((page - 1) * per_page)
    )
    undo_to, redo_to = _steps(recording.id, recording.transcript_revision)
    return History(
        revision=recording.transcript_revision,
        undo_to=undo_to,
        redo_to=redo_to,
        total=total or 0,
        entries=[
            Entry(
                row.number,
                row.kind,
                username,
                row.created_at,
                row.words_added,
                row.words_removed,
                row.segments_changed,
                row.details,
            )
            for row, username in rows
        ],
    )


def read(actor: Actor, recording_id: int, version: str) -> tuple[int, list[StoredSegment]]:
    """Return the revision number and the transcript of a version, with speaker names."""
    state = editing.load(actor, recording_id, Permission.VIEW)
    number = int(version) if version not in {CURRENT, RAW} else state.revision
    if version == RAW:
        segments: Sequence[StoredSegment] = revisions.recognized(recording_id)
    else:
        segments = _segments_at(state, number)
    return number, run_cpu(lambda: editing.named(state, segments), is_long=is_long(segments))


def _segments_at(state: TranscriptState, number: int) -> Sequence[StoredSegment]:
    return revisions.segments_at(state.recording_id, state.revision, state.segments, number)


def diff(actor: Actor, recording_id: int, number: int) -> list[Change]:
    """Return the changes of a revision, word by word."""
    state = editing.load(actor, recording_id, Permission.VIEW)
    row = revisions.get(recording_id, number)
    after = _segments_at(state, number)
    replaced = row.replaced
    return run_cpu(
        lambda: [
            Change(
                part.at,
                editing.named(state, part.old),
                editing.named(state, new),
                word_diff(text_of(part.old), text_of(new)),
            )
            for hunk in unpacked(replaced)
            for part, new in cut(hunk, after)
        ]
    )


def undo(actor: Actor, recording_id: int, *, revision: int | None) -> Edited:
    """Restore the text before the last change that has not been undone."""

    def step(state: TranscriptState) -> Callable[[], Edit]:
        target, _ = _steps(state.recording_id, state.revision)
        if target is None:
            raise Conflict("There is nothing to undo.", code="nothing_to_undo")
        further, _ = _steps(state.recording_id, target)
        edit = _at(state, target, undo_to=further, redo_to=state.revision)
        return lambda: edit

    return editing.change(actor, recording_id, RevisionKind.UNDO, step, revision=revision)


def redo(actor: Actor, recording_id: int, *, revision: int | None) -> Edited:
    """Restore the text that the last undo replaced."""

    def step(state: TranscriptState) -> Callable[[], Edit]:
        _, target = _steps(state.recording_id, state.revision)
        if target is None:
            raise Conflict("There is nothing to redo.", code="nothing_to_redo")
        undo_to, further = _steps(state.recording_id, target)
        edit = _at(state, target, undo_to=undo_to, redo_to=further)
        return lambda: edit

    return editing.change(actor, recording_id, RevisionKind.REDO, step, revision=revision)


def restore(actor: Actor, recording_id: int, number: int, *, revision: int | None) -> Edited:
    """Restore the text of any revision, as a new change that can be undone."""

    def step(state: TranscriptState) -> Callable[[], Edit]:
        edit = Edit(_segments_at(state, number), details={"restored_revision": number})
        return lambda: edit

    return editing.change(actor, recording_id, RevisionKind.RESTORE, step, revision=revision)


def _at(state: TranscriptState, number: int, *, undo_to: int | None, redo_to: int | None) -> Edit:
    try:
        segments = _segments_at(state, number)
    except NotFound:
        raise Conflict("That part of the history has been removed.", code="history_removed") from None
    return Edit(
        segments,
        is_step=True,
        undo_to=undo_to,
        redo_to=redo_to,
        details={"restored_revision": number},
    )


def _steps(recording_id: int, number: int) -> tuple[int | None, int | None]:
    """Return the targets of undo and redo at a revision."""
    found = db.session.execute(
        select(TranscriptRevision.undo_to, TranscriptRevision.redo_to).where(
            TranscriptRevision.recording_id == recording_id, TranscriptRevision.number == number
        )
    ).first()
    return (None, None) if found is None else (found.undo_to, found.redo_to)
