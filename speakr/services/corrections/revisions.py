"""Rows of segments and the history of their changes. Callers lock the recording and check the permission."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, func, insert, select

from speakr.db import db
from speakr.domain.errors import NotFound
from speakr.domain.transcript_history import (
    Hunk,
    RevisionKind,
    StoredSegment,
    count_words,
    cut,
    packed,
    put_back,
    text_of,
    unpacked,
    unpacked_segments,
    word_diff,
)
from speakr.models import RecognizedTranscript, Recording, RecordingSpeaker, Segment, TranscriptRevision
from speakr.offload import run_cpu
from speakr.services import long_reads

MAX_REVISIONS = 1_000
"""Revisions per recording. The oldest are deleted first; the recognised text is stored separately."""
MAX_HISTORY_BYTES = 32 * 1024 * 1024
"""Compressed bytes of all revisions of a recording: reading an old revision reads all later ones."""

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
    """A change to be stored; `replaced` are the hunks that lead back to the previous revision, packed."""

    kind: RevisionKind
    user_id: int | None
    replaced: bytes
    extent: Extent
    undo_to: int | None = None
    redo_to: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def segments_of(recording_id: int) -> list[StoredSegment]:
    """Return the current segments with their words."""
    query = select(*_COLUMNS).where(_S.recording_id == recording_id).order_by(_S.position)
    return long_reads.all_rows(query, make=lambda row: StoredSegment(*row))


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
        segments += max(hunk.size, len(hunk.old))
        for part, present in cut(hunk, new):
            words_added, words_removed = count_words(word_diff(text_of(part.old), text_of(present)))
            added, removed = added + words_added, removed + words_removed
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
                "replaced": revision.replaced,
            }
        ],
    )
    _prune(recording.id)


def _prune(recording_id: int) -> None:
    """Delete the oldest revisions beyond `MAX_REVISIONS` or `MAX_HISTORY_BYTES`; the newest stays."""
    sizes = db.session.execute(
        select(_R.number, func.length(_R.replaced).label("size"))
        .where(_R.recording_id == recording_id)
        .order_by(_R.number.desc())
    ).all()
    total = 0
    for place, row in enumerate(sizes):
        total += row.size
        if place and (place >= MAX_REVISIONS or total > MAX_HISTORY_BYTES):
            db.session.execute(
                delete(TranscriptRevision).where(
                    TranscriptRevision.recording_id == recording_id, TranscriptRevision.number <= row.number
                ),
                execution_options={"synchronize_session": False},
            )
            return


def add_transcription(recording: Recording, segment_count: int) -> None:
    """Record that another transcription replaces the segments; call this before they are deleted."""
    if not recording.is_transcribed:
        return
    old = segments_of(recording.id)
    extent = Extent(segments_changed=max(len(old), segment_count))
    replaced = packed([Hunk(0, segment_count, old)])
    add(recording, NewRevision(RevisionKind.TRANSCRIBED, None, replaced, extent))
    db.session.execute(
        delete(RecognizedTranscript).where(RecognizedTranscript.recording_id == recording.id),
        execution_options={"synchronize_session": False},
    )


def has_recognized(recording_id: int) -> bool:
    """Tell whether the recognised text has been stored since the last transcription."""
    known = select(RecognizedTranscript.recording_id).where(RecognizedTranscript.recording_id == recording_id)
    return db.session.scalar(known) is not None


def keep_recognized(recording_id: int, content: bytes) -> None:
    """Store the recognised text, packed, unless that was done since the last transcription."""
    if not has_recognized(recording_id):
        db.session.add(RecognizedTranscript(recording_id=recording_id, content=content))


def recognized(recording_id: int) -> list[StoredSegment]:
    """Return the transcript as the engine returned it."""
    row = db.session.get(RecognizedTranscript, recording_id)
    if row is None:
        return segments_of(recording_id)
    content = row.content
    return run_cpu(lambda: unpacked_segments(content))


def segments_at(
    recording_id: int, present: int, segments: Sequence[StoredSegment], number: int
) -> Sequence[StoredSegment]:
    """Return the transcript at an earlier revision; `segments` are those of the revision `present`.

    Raises:
        NotFound: the revision never existed, or its history was deleted.

    """
    if number == present:
        return segments
    is_between = (_R.recording_id == recording_id, _R.number > number, _R.number <= present)
    count = db.session.scalar(select(func.count()).select_from(TranscriptRevision).where(*is_between))
    if not 0 <= number < present or count != present - number:
        raise _no_revision(number)
    for step in range(present, number, -1):  # one at a time: each may be as long as the transcript
        stored = _replaced(recording_id, step)
        segments = run_cpu(functools.partial(_before, segments, stored))
    return segments


def _before(segments: Sequence[StoredSegment], stored: bytes) -> list[StoredSegment]:
    return put_back(segments, unpacked(stored))


def _replaced(recording_id: int, number: int) -> bytes:
    found = db.session.scalar(select(_R.replaced).where(_R.recording_id == recording_id, _R.number == number))
    if found is None:  # deleted a moment ago
        raise _no_revision(number)
    return bytes(found)


def labels_in_history(recording_id: int) -> set[str]:
    """Return the speaker labels in all stored revisions. This reads the whole history."""
    numbers = db.session.scalars(select(_R.number).where(_R.recording_id == recording_id)).all()
    labels = {each.speaker for each in recognized(recording_id)}
    for number in numbers:
        labels |= run_cpu(functools.partial(_labels_in, _replaced(recording_id, number)))
    return labels


def _labels_in(stored: bytes) -> set[str]:
    return {each.speaker for hunk in unpacked(stored) for each in hunk.old}


def _no_revision(number: int) -> NotFound:
    return NotFound(f"There is no revision {number} of this transcript", code="no_revision")


def get(recording_id: int, number: int) -> TranscriptRevision:
    """Return one revision."""
    found = db.session.scalar(
        select(TranscriptRevision).where(
            TranscriptRevision.recording_id == recording_id, TranscriptRevision.number == number
        )
    )
    if found is None:
        raise _no_revision(number)
    return found
