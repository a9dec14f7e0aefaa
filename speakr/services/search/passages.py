"""Passages of transcripts and their vectors: what a search by meaning compares a question with.

They follow a transcript by a job of their own. Without an embedding model there are none, and nobody asks for any.
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
"""Recordings from before there was a model that are queued at a time: others' work is never behind many of them."""
_AFTER_A_FAILURE = timedelta(minutes=10)
_SAME_RECORDING_AGAIN = timedelta(hours=1)

_P = RecordingPassage.__table__.c
_S = Segment.__table__.c


@dataclass(frozen=True, slots=True)
class Material:
    """A transcript in passages, and the vectors that are known of the same texts by the same model."""

    rows: Sequence[Any]
    passages: Sequence[Passage]
    known: Mapping[str, bytes]
    revision: int | None = None
    """Of the transcript that was read."""


def is_wanted() -> bool:
    """Tell whether there is an embedding model."""
    return bool(get_backends().settings.embedding_model)


def fingerprint(text: str) -> str:
    """Return by what a text is known again."""
    return sha256(text.encode()).hexdigest()


def put_out_of_date(recording_id: int) -> None:
    """Say that a recording's transcript has been replaced: its passages are found no more."""
    db.session.execute(
        update(RecordingPassage)
        .where(RecordingPassage.recording_id == recording_id)
        .values(is_current=False)
        .execution_options(synchronize_session=False)
    )


def material(held: claims.Claim) -> Material:
    """Return what is to be embedded of a recording."""
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
            _P.recording_id == held.recording_id, _P.model == get_backends().settings.embedding_model
        )
    )
    vectors = {row.sha256: row.vector for row in known}
    return Material(rows, cut(row.text for row in rows), vectors, revision)


def store(held: claims.Claim, embedded: Material, vectors: Sequence[bytes], model: str) -> None:
    """Replace a recording's passages and end the job: one transaction, or nothing."""
    claims.succeed(held)
    # Held, so that no other transcript can take the place of the one that was read.
    recording = db.session.get_one(Recording, held.recording_id, with_for_update={"key_share": True})
    rows = embedded.rows
    if recording.transcript_revision != embedded.revision:
        raise TransientJobError("The transcript was replaced meanwhile.", code="transcript_replaced")
    db.session.execute(delete(RecordingPassage).where(RecordingPassage.recording_id == recording.id))
    # A transcript without a word has one passage with no vector: else it would be looked at again for ever.
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
    """Queue recordings without passages by the present model, newest first and a few at a time; return how many.

    After a failure this waits: the model is probably away, and everybody's turn comes.
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
        # One by one: two maintenance runs at once would wait for each other.
        with unit_of_work():
            _queue(number)
    return len(found)


def _missing(not_since: Any, most: int) -> Sequence[int]:
    is_there = exists().where(
        _P.recording_id == Recording.id,
        _P.position == 0,
        _P.model == get_backends().settings.embedding_model,
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
    # Of each recording the last try is enough to know of.
    db.session.execute(
        delete(Job).where(
            Job.recording_id == recording_id, Job.kind == JobKind.EMBED, Job.state.not_in(ACTIVE)
        ),
        execution_options={"synchronize_session": False},
    )
    queueing.add(recording, JobKind.EMBED)
