"""Passages of transcripts and their vectors, with which a search by meaning compares a question.

A job of its own creates them after the transcript. Without an embedding model there are no passages and no jobs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import delete, exists, func, insert, or_, select, update

from speakr.backends import get_backends
from speakr.db import db, unit_of_work
from speakr.domain.clock import now
from speakr.domain.errors import TransientJobError
from speakr.domain.jobs import ACTIVE, JobKind, JobState
from speakr.domain.passages import Passage, cut
from speakr.models import Job, Recording, RecordingPassage, Segment
from speakr.services.jobs import claims, queueing

MAX_WAITING = 20
"""Older recordings that are queued at a time for a new model, so that other jobs do not wait behind many of them."""
_AFTER_A_FAILURE = timedelta(minutes=10)
_SAME_RECORDING_AGAIN = timedelta(hours=1)

_P = RecordingPassage.__table__.c
_S = Segment.__table__.c


@dataclass(frozen=True, slots=True)
class Material:
    """A transcript in passages, and the known vectors of the same texts by the same model, by text hash."""

    rows: Sequence[Any]
    passages: Sequence[Passage]
    known: Mapping[str, bytes]
    revision: int | None = None
    """The revision of the transcript that was read."""


def is_wanted() -> bool:
    """Tell whether this server has an embedding model."""
    return bool(get_backends().embedding_model)


def fingerprint(text: str) -> str:
    """Return the hash by which a text is recognised."""
    return sha256(text.encode()).hexdigest()


def put_out_of_date(recording_id: int) -> None:
    """Mark a recording's passages as outdated, because its transcript changed; searches do not find them any more."""
    db.session.execute(
        update(RecordingPassage)
        .where(RecordingPassage.recording_id == recording_id)
        .values(is_current=False)
        .execution_options(synchronize_session=False)
    )


def material(held: claims.Claim) -> Material:
    """Return the passages of a recording to embed."""
    revision = db.session.scalar(
        select(Recording.transcript_revision).where(Recording.id == held.recording_id)
    )
    rows = (
        db.session.connection()
        .execute(
            select(_S.id, _S.start, _S.end, _S.text)
            .where(_S.recording_id == held.recording_id)
            .order_by(_S.position)
        )
        .all()
    )
    known = db.session.connection().execute(
        select(_P.sha256, _P.vector).where(
            _P.recording_id == held.recording_id, _P.model == get_backends().embedding_model
        )
    )
    vectors = {row.sha256: row.vector for row in known}
    return Material(rows, cut(row.text for row in rows), vectors, revision)


def store(held: claims.Claim, embedded: Material, vectors: Sequence[bytes], model: str) -> None:
    """Replace a recording's passages and end the job, in one transaction."""
    claims.succeed(held)
    # Lock the recording, so that no other transaction replaces the transcript that the job read.
    recording = db.session.get_one(Recording, held.recording_id, with_for_update={"key_share": True})
    rows = embedded.rows
    if recording.transcript_revision != embedded.revision:
        raise TransientJobError("The transcript was replaced while the job ran.", code="transcript_replaced")
    db.session.execute(delete(RecordingPassage).where(RecordingPassage.recording_id == recording.id))
    # A transcript without words gets one passage without a vector, so that it does not count as missing for ever.
    passages = embedded.passages or ([Passage(0, len(rows) - 1, "")] if rows else [])
    if passages:
        db.session.execute(
            insert(RecordingPassage),
            [
                {
                    "recording_id": recording.id,
                    "position": position,
                    "first_segment_id": rows[passage.first].id,
                    "last_segment_id": rows[passage.last].id,
                    "start": rows[passage.first].start,
                    "end": rows[passage.last].end,
                    "sha256": fingerprint(passage.text),
                    "model": model,
                    "vector": vector,
                    "is_current": True,
                }
                for position, (passage, vector) in enumerate(zip(passages, vectors or [b""], strict=True))
            ],
        )


def queue_missing() -> int:
    """Queue recordings without passages of the current model, newest first and a few at a time; return their number.

    After a failure this pauses, because the model is probably unavailable.
    """
    if not is_wanted():
        return 0
    moment = now()
    newest = db.session.execute(
        select(Job.state, Job.finished_at).where(Job.kind == JobKind.EMBED).order_by(Job.id.desc()).limit(1)
    ).first()
    if (
        newest is not None
        and newest.state is JobState.FAILED
        and newest.finished_at > moment - _AFTER_A_FAILURE
    ):
        return 0
    waiting = select(func.count()).where(Job.kind == JobKind.EMBED, Job.state.in_(ACTIVE))
    room = MAX_WAITING - (db.session.scalar(waiting) or 0)
    found = _missing(moment - _SAME_RECORDING_AGAIN, room) if room > 0 else ()
    for number in found:
        # One by one: two concurrent maintenance runs could otherwise deadlock.
        with unit_of_work():
            _queue(number)
    return len(found)


def _missing(not_since: Any, most: int) -> Sequence[int]:
    is_there = exists().where(
        _P.recording_id == Recording.id,
        _P.position == 0,
        _P.model == get_backends().embedding_model,
        _P.is_current,
    )
    was_tried = exists().where(
        Job.recording_id == Recording.id,
        Job.kind == JobKind.EMBED,
        or_(Job.state.in_(ACTIVE), Job.queued_at > not_since),
    )
    return db.session.scalars(
        select(Recording.id)
        .where(
            Recording.has_transcription,
            exists().where(_S.recording_id == Recording.id),
            ~is_there,
            ~was_tried,
        )
        .order_by(Recording.id.desc())
        .limit(most)
    ).all()


def _queue(recording_id: int) -> None:
    recording = db.session.get(Recording, recording_id)
    if recording is None:
        return
    # Keep only the last job of each recording.
    db.session.execute(
        delete(Job).where(
            Job.recording_id == recording_id, Job.kind == JobKind.EMBED, Job.state.not_in(ACTIVE)
        ),
        execution_options={"synchronize_session": False},
    )
    queueing.add(recording, JobKind.EMBED)
