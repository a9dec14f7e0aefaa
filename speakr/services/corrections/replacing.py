"""Find and replace in the transcripts of one or many recordings, with a preview.

One request reads a bounded number of recordings, in the order of their ids. Each recording is changed in its own
transaction and gets its own revision: a failure for one recording does not affect the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, select

from speakr.db import db
from speakr.domain.errors import Invalid, SpeakrError
from speakr.domain.permissions import Actor, Permission
from speakr.domain.text_replacement import Example, Replacement
from speakr.domain.transcript import is_long
from speakr.domain.transcript_edits import substitute
from speakr.domain.transcript_history import RevisionKind
from speakr.models import Folder, Recording, RecordingTag, Segment, Tag
from speakr.offload import pause, run_cpu
from speakr.services import long_reads
from speakr.services.accounts import memberships
from speakr.services.corrections.editing import Edit, TranscriptState, change
from speakr.services.recordings import access

MAX_RECORDINGS = 100
"""Recordings with matches in one request."""
MAX_READ = 1_000
"""Recordings that one request reads."""
MAX_EXAMPLES = 3
"""Examples per recording."""

_S = Segment.__table__.c


@dataclass(frozen=True, slots=True)
class Scope:
    """Where to search: recordings by id, or the actor's own recordings with a tag or in a folder."""

    recording_ids: Sequence[int] | None = None
    tag_id: int | None = None
    folder_id: int | None = None
    after_id: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """An example of a match."""

    segment_index: int
    start: float
    example: Example


@dataclass(frozen=True, slots=True)
class Outcome:
    """The matches in one recording and the result of the replacement; `revision` is None in a preview."""

    recording_id: int
    title: str | None = None
    matches: int = 0
    examples: Sequence[Place] = field(default=())
    revision: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The recordings of a request that match or failed; continue after `next_after` if there may be more."""

    recordings: Sequence[Outcome]
    next_after: int | None


def run(actor: Actor, scope: Scope, wanted: Replacement, *, is_preview: bool) -> Outcomes:
    """Find the matches and, unless this is a preview, replace them."""
    found: list[Outcome] = []
    ids = _ids(actor, scope)
    for number, recording_id in enumerate(ids):
        if len(found) == MAX_RECORDINGS or number == MAX_READ:
            return Outcomes(found, ids[number - 1])
        outcome = _look_at(actor, recording_id, wanted)
        if outcome.matches and not is_preview:
            outcome = _replace(actor, outcome, wanted)
            pause()
        if outcome.matches or outcome.error:
            found.append(outcome)
    return Outcomes(found, None)


def _ids(actor: Actor, scope: Scope) -> Sequence[int]:
    """Return the ids to read, up to one more than `MAX_READ`."""
    ways = [scope.recording_ids is not None, scope.tag_id is not None, scope.folder_id is not None]
    if sum(ways) != 1:
        message = "send recording ids, a tag or a folder"
        raise Invalid(f"Choose where to search: {message}", errors={"recording_ids": [message]})
    if scope.recording_ids is not None:
        wanted = sorted({number for number in scope.recording_ids if number > scope.after_id})
        return wanted[: MAX_READ + 1]
    return db.session.scalars(
        select(Recording.id)
        .where(
            Recording.user_id == actor.user_id,
            Recording.has_transcription,
            Recording.id > scope.after_id,
            *_filters(actor, scope),
        )
        .order_by(Recording.id)
        .limit(MAX_READ + 1)
    ).all()


def _filters(actor: Actor, scope: Scope) -> Iterator[ColumnElement[bool]]:
    if scope.tag_id is not None:
        tags = select(Tag.id).where(Tag.id == scope.tag_id, memberships.can_use(Tag, actor))
        yield Recording.id.in_(select(RecordingTag.recording_id).where(RecordingTag.tag_id.in_(tags)))
    if scope.folder_id is not None:
        yield Recording.folder_id.in_(
            select(Folder.id).where(Folder.id == scope.folder_id, memberships.can_use(Folder, actor))
        )


def _look_at(actor: Actor, recording_id: int, wanted: Replacement) -> Outcome:
    try:
        recording = access.get(actor, recording_id, Permission.EDIT)
    except SpeakrError as error:
        return Outcome(recording_id, error="Not found" if error.slug == "not_found" else "Permission denied")
    title = recording.title
    rows = long_reads.all_rows(
        select(_S.position, _S.start, _S.text).where(_S.recording_id == recording_id).order_by(_S.position)
    )
    return run_cpu(lambda: _matches(recording_id, title, rows, wanted), is_long=is_long(rows))


def _matches(recording_id: int, title: str, rows: Sequence[Any], wanted: Replacement) -> Outcome:
    matches = 0
    examples: list[Place] = []
    for row in rows:
        matches += wanted.count(row.text)
        example = wanted.example(row.text) if len(examples) < MAX_EXAMPLES else None
        if example is not None:
            examples.append(Place(row.position, row.start, example))
    return Outcome(recording_id, title, matches, examples)


def _replace(actor: Actor, outcome: Outcome, wanted: Replacement) -> Outcome:
    count = 0

    def make(state: TranscriptState) -> Callable[[], Edit]:
        return lambda: compute(state)

    def compute(state: TranscriptState) -> Edit:
        nonlocal count
        count = sum(wanted.count(segment.text) for segment in state.segments)
        return Edit(substitute(state.segments, wanted.apply), details=wanted.described)

    try:
        done = change(actor, outcome.recording_id, RevisionKind.REPLACE, make)
    except SpeakrError as error:
        return Outcome(outcome.recording_id, outcome.title, error=error.message)
    return Outcome(outcome.recording_id, outcome.title, count, outcome.examples, done.revision)
