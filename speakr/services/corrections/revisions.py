"""Rows of segments and the history of their changes. Callers lock the recording and check the permission."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from speakr.db import db
from speakr.domain.errors import NotFound
from speakr.domain.transcript_history import (
    Hunk,
    RevisionKind,
    StoredSegment,
    count_words,
    packed,
    packed_segments,
    put_back,
    unpacked,
    unpacked_segments,
    word_diff,
)
from speakr.models import RecognizedTranscript, Recording, RecordingSpeaker, Segment, TranscriptRevision

MAX_REVISIONS = 1_000
"""Revisions per recording. The oldest are deleted first; the recognised text is stored separately."""

_S = Segment.__table__.c
_COLUMNS = (_S.id, _S.start, _S.end, _S.text, _S.speaker, _S.confidence, _S.overlap, _S.words)
_R = TranscriptRevision.__table__.c


@dataclass(frozen=True, slots=True)
class Extent:
    """The size of a change."""

    words_added: int = 0
    words_removed: int = 0
    segments_changed: int = 0


@dataclass(frozen=True, slots=True)
class NewRevision:
    """A change to be stored; `hunks` lead back to the previous revision."""

    kind: RevisionKind
    user_id: int | None
    hunks: Sequence[Hunk]
    extent: Extent
    undo_to: int | None = None
    redo_to: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def segments_of(recording_id: int) -> list[StoredSegment]:
    """Return the current segments with their words."""
    rows = db.session.connection().execute(
        select(*_COLUMNS).where(_S.recording_id == recording_id).order_by(_S.position)
    )
    return [StoredSegment(*row) for row in rows]


def names_of(recording_id: int) -> dict[str, str]:
    """Return the speaker names of a recording by label."""
    rows = db.session.execute(
        select(RecordingSpeaker.label, RecordingSpeaker.name).where(
            RecordingSpeaker.recording_id == recording_id
        )
    )
    return {row.label: row.name for row in rows}


def extent_of(hunks: Sequence[Hunk], new: Sequence[StoredSegment]) -> Extent:
    """Return the size of a change. This is slow for long texts."""
    added = removed = segments = 0
    for hunk in hunks:
        new_text = " ".join(each.text for each in new[hunk.at : hunk.at + hunk.size])
        words_added, words_removed = count_words(
            word_diff(" ".join(each.text for each in hunk.old), new_text)
        )
        added, removed = added + words_added, removed + words_removed
        segments += max(hunk.size, len(hunk.old))
    return Extent(added, removed, segments)


def add(recording: Recording, revision: NewRevision) -> None:
    """Increment the recording's revision and store what it replaced."""
    recording.transcript_revision += 1
    db.session.execute(
        insert(TranscriptRevision),
        [
            {
                "recording_id": recording.id,
                "number": recording.transcript_revision,
                "kind": revision.kind,
                "user_id": revision.user_id,
                "undo_to": revision.undo_to,
                "redo_to": revision.redo_to,
                "details": dict(revision.details),
                "words_added": revision.extent.words_added,
                "words_removed": revision.extent.words_removed,
                "segments_changed": revision.extent.segments_changed,
                "replaced": packed(revision.hunks),
            }
        ],
    )
    db.session.execute(
        delete(TranscriptRevision).where(
            TranscriptRevision.recording_id == recording.id,
            TranscriptRevision.number <= recording.transcript_revision - MAX_REVISIONS,
        ),
        execution_options={"synchronize_session": False},
    )


def add_transcription(recording: Recording, segment_count: int) -> None:
    """Record that another transcription replaces the segments; call this before they are deleted."""
    if not recording.has_transcription:
        return
    old = segments_of(recording.id)
    extent = Extent(segments_changed=max(len(old), segment_count))
    hunks = [Hunk(0, segment_count, old)]
    add(recording, NewRevision(RevisionKind.TRANSCRIBED, None, hunks, extent))
    db.session.execute(
        delete(RecognizedTranscript).where(RecognizedTranscript.recording_id == recording.id),
        execution_options={"synchronize_session": False},
    )


def keep_recognized(recording_id: int, segments: Sequence[StoredSegment]) -> None:
    """Store the recognised text, unless that was done since the last transcription."""
    if db.session.get(RecognizedTranscript, recording_id) is None:
        db.session.add(RecognizedTranscript(recording_id=recording_id, content=packed_segments(segments)))


def recognized(recording_id: int) -> list[StoredSegment]:
    """Return the transcript as the engine returned it."""
    row = db.session.get(RecognizedTranscript, recording_id)
    return segments_of(recording_id) if row is None else unpacked_segments(row.content)


def segments_at(
    recording_id: int, present: int, segments: Sequence[StoredSegment], number: int
) -> Sequence[StoredSegment]:
    """Return the transcript at an earlier revision; `segments` are those of the revision `present`.

    Raises:
        NotFound: the revision never existed, or its history was deleted.

    """
    if number == present:
        return segments
    deltas = (
        db.session.connection()
        .execute(
            select(_R.number, _R.replaced)
            .where(_R.recording_id == recording_id, _R.number > number, _R.number <= present)
            .order_by(_R.number.desc())
        )
        .all()
    )
    if not 0 <= number < present or len(deltas) != present - number:
        raise NotFound(f"There is no revision {number} of this transcript", code="no_revision")
    for delta in deltas:
        segments = put_back(segments, unpacked(delta.replaced))
    return segments


def labels_in_history(recording_id: int) -> set[str]:
    """Return the speaker labels in all stored revisions. This reads the whole history."""
    rows = db.session.scalars(
        select(TranscriptRevision.replaced).where(TranscriptRevision.recording_id == recording_id)
    )
    labels = {each.speaker for stored in rows for hunk in unpacked(stored) for each in hunk.old}
    return labels | {each.speaker for each in recognized(recording_id)}


def get(recording_id: int, number: int) -> TranscriptRevision:
    """Return one revision."""
    found = db.session.scalar(
        select(TranscriptRevision).where(
            TranscriptRevision.recording_id == recording_id, TranscriptRevision.number == number
        )
    )
    if found is None:
        raise NotFound(f"There is no revision {number} of this transcript", code="no_revision")
    return found


def write_rows(recording_id: int, old: Sequence[StoredSegment], new: Sequence[StoredSegment]) -> None:
    """Update the rows from `old` to `new`. Unchanged segments keep their ids, and unchanged rows are not written."""
    places = {segment.id: position for position, segment in enumerate(old)}
    kept = {segment.id for segment in new}
    removed = [segment.id for segment in old if segment.id not in kept]
    for first in range(0, len(removed), 1_000):
        db.session.execute(
            delete(Segment).where(Segment.id.in_(removed[first : first + 1_000])),
            execution_options={"synchronize_session": False},
        )
    _move(
        recording_id,
        sorted(
            (places[segment.id], position) for position, segment in enumerate(new) if segment.id in places
        ),
    )
    changed = [
        {"row_id": segment.id, **_values(segment)}
        for segment in new
        if segment.id in places
        and old[places[segment.id]] is not segment
        and old[places[segment.id]] != segment
    ]
    if changed:
        statement = update(Segment.__table__).where(_S.id == bindparam("row_id"))  # type: ignore[arg-type] # a Table
        db.session.connection().execute(statement, changed)
    added = [
        {"recording_id": recording_id, "position": position, **_values(segment)}
        | ({} if segment.id is None else {"id": segment.id})
        for position, segment in enumerate(new)
        if segment.id not in places
    ]
    for is_known in (True, False):  # one statement inserts rows of one shape
        rows = [row for row in added if ("id" in row) is is_known]
        if rows:
            db.session.execute(insert(Segment), rows)


def _move(recording_id: int, moves: Sequence[tuple[int, int]]) -> None:
    """Move rows to other positions, with one statement per run of rows that move by the same distance.

    The rows pass through negative positions because positions are unique.
    """
    runs: list[list[int]] = []
    for before, after in moves:
        if runs and runs[-1][2] == after - before:
            runs[-1][1] = before
        else:
            runs.append([before, before, after - before])
    moved = [run for run in runs if run[2]]
    theirs = update(Segment).where(Segment.recording_id == recording_id)
    options = {"synchronize_session": False}
    for first, last, distance in moved:
        db.session.execute(
            theirs.where(Segment.position.between(first, last)).values(
                position=-(Segment.position + distance) - 1
            ),
            execution_options=options,
        )
    if moved:
        db.session.execute(
            theirs.where(Segment.position < 0).values(position=-Segment.position - 1),
            execution_options=options,
        )


def _values(segment: StoredSegment) -> dict[str, Any]:
    return {
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "speaker": segment.speaker,
        "confidence": segment.confidence,
        "overlap": segment.overlap,
        "words": list(segment.words),
    }
