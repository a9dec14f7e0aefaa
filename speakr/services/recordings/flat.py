"""Flat recordings: recordings with their texts, as other systems list and receive them.

Only the actor's own recordings with a finished transcript are listed. One whose summary is still being written counts;
one that is transcribed again does not until it ends, because its text is about to be replaced.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import func, select

from speakr.db import db
from speakr.domain.errors import NotFound
from speakr.domain.flat_recordings import FlatRecording
from speakr.domain.paging import Window
from speakr.domain.permissions import Actor
from speakr.domain.recordings import RecordingStatus
from speakr.domain.transcript_history import text_of
from speakr.models import RecognizedTranscript, Recording, Segment
from speakr.offload import large_work, run_cpu
from speakr.services import long_reads
from speakr.services.corrections import revisions
from speakr.services.recordings import listing

_S = Segment.__table__.c
_COLUMNS = (Recording.id, Recording.title, Recording.created_at)
_FINISHED = Recording.status.in_([RecordingStatus.SUMMARIZING, RecordingStatus.COMPLETED])
MAX_OFFSET = 2**31
"""Lists end before it, and larger numbers do not fit into a query."""


def list_page(actor: Actor, window: Window) -> list[FlatRecording]:
    """Return a part of the actor's recordings, newest first; empty after the end."""
    if window.offset >= MAX_OFFSET:
        return []
    rows = db.session.execute(
        select(*_COLUMNS)
        .where(Recording.user_id == actor.user_id, _FINISHED)
        .order_by(Recording.created_at.desc(), Recording.id.desc())
        .limit(window.limit)
        .offset(window.offset)
    ).all()
    return _with_texts(rows)


def get(actor: Actor, recording_id: int) -> FlatRecording:
    """Return one of the actor's own recordings.

    Raises:
        NotFound: it does not exist, belongs to another user, or has no finished transcript; the error does not say which.

    """
    rows = db.session.execute(
        select(*_COLUMNS).where(Recording.id == recording_id, Recording.user_id == actor.user_id, _FINISHED)
    ).all()
    if not rows:
        raise NotFound("Recording not found")
    return _with_texts(rows)[0]


def of_recording(recording_id: int) -> FlatRecording | None:
    """Return a recording in the caller's transaction, whatever its status; None if it is gone. Checks no permission."""
    rows = db.session.execute(select(*_COLUMNS).where(Recording.id == recording_id)).all()
    return _read(rows)[0] if rows else None


def _with_texts(rows: Sequence[Any]) -> list[FlatRecording]:
    ids = [row.id for row in rows]
    count = db.session.scalar(select(func.count()).where(Segment.recording_id.in_(ids))) or 0
    with large_work(is_large=count >= long_reads.LARGE_SEGMENTS):
        return _read(rows)


def _read(rows: Sequence[Any]) -> list[FlatRecording]:
    ids = [row.id for row in rows]
    texts, recognized, tags = _texts(ids), _recognized(ids), listing.tags_of(ids)
    return [
        FlatRecording(
            id=row.id,
            title=row.title,
            text=texts[row.id],
            recognized_text=recognized.get(row.id, texts[row.id]),
            tags=",".join(tag.name for tag in tags[row.id]),
            created_at=row.created_at,
        )
        for row in rows
    ]


def _texts(ids: Collection[int]) -> Mapping[int, str]:
    query = (
        select(_S.recording_id, _S.text)
        .where(_S.recording_id.in_(ids))
        .order_by(_S.recording_id, _S.position)
    )
    said: dict[int, list[str]] = {recording_id: [] for recording_id in ids}
    for recording_id, text in long_reads.all_rows(query):
        said[recording_id].append(text)
    return {recording_id: " ".join(texts) for recording_id, texts in said.items()}


def _recognized(ids: Collection[int]) -> Mapping[int, str]:
    """Return the recognised texts of the recordings that were corrected since their transcription."""
    kept = RecognizedTranscript.recording_id
    corrected = db.session.scalars(select(kept).where(kept.in_(ids))).all()
    found = {}
    for recording_id in corrected:
        found[recording_id] = run_cpu(partial(text_of, revisions.recognized(recording_id)))
    return found
