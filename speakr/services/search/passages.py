"""Passages of transcripts and their vectors, with which a search by meaning compares a question.

A job of its own creates them after the transcript. Without an embedding model there are no passages and no jobs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, insert, or_, select, true, update

from speakr.backends import get_backends
from speakr.db import db, unit_of_work
from speakr.domain.clock import now
from speakr.domain.errors import TransientJobError
from speakr.domain.jobs import ACTIVE, JobKind, JobState
from speakr.domain.passages import Passage, cut
from speakr.models import Job, Recording, RecordingPassage, Segment
from speakr.services.jobs import claims, queueing
from speakr.services.search import wanted_model

MAX_WAITING = 20
"""Older recordings that are queued at a time for a new model, so that other jobs do not wait behind many of them."""
_AFTER_A_FAILURE = timedelta(minutes=10)
_SAME_RECORDING_AGAIN = timedelta(hours=1)
_AFTER_REFUSALS = (timedelta(hours=1), timedelta(hours=8), timedelta(days=3))
"""Pauses after the first permanent failures of a recording with the same model and transcript."""
_AFTER_MORE_REFUSALS = timedelta(days=30)
"""Not for ever: a model refuses everything when its key or its account is wrong, which the operator may mend."""

_PERMANENT = ("job_failed", "provider_rejected", "provider_too_large", "worker_crashed")
"""Codes of failures that repeat as long as the model and the transcript are the same."""

_NOT_PLACED = 1_000_000_000
"""Positions from here on hold vectors of a job that has not ended; passages of transcripts are below."""

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
    model: str = ""
    """The model to use, as stored with vectors."""


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
    """Return the passages of a recording to embed.

    Raises:
        TransientJobError: this worker has another model than the one wanted; another worker may have it.
    """
    model = get_backends().embedding_model
    wanted = wanted_model.read()
    if model != wanted.model:
        raise TransientJobError(
            "This worker has another embedding model than the server wants.", code="other_embedding_model"
        )
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
            _P.recording_id == held.recording_id, _P.model == model, _has_size_of(wanted)
        )
    )
    vectors = {row.sha256: row.vector for row in known}
    return Material(rows, cut(row.text for row in rows), vectors, revision, model)


def keep(held: claims.Claim, embedded: Material, vectors: Mapping[str, bytes], progress: int) -> None:
    """Store some vectors of a job that goes on, by text, so that the next attempt need not make them again.

    Searches do not find them. The job's end or the recording's deletion removes them.
    """
    claims.report(held, "Preparing search by meaning", progress)
    last = db.session.scalar(
        select(func.max(_P.position)).where(_P.recording_id == held.recording_id, _P.position >= _NOT_PLACED)
    )
    first = _NOT_PLACED if last is None else last + 1
    places = {passage.text: passage for passage in embedded.passages}
    rows = [
        _row(held.recording_id, first + number, embedded, places[text], vector, is_current=False)
        for number, (text, vector) in enumerate(vectors.items())
    ]
    db.session.execute(insert(RecordingPassage), rows)


def store(held: claims.Claim, embedded: Material, vectors: Sequence[bytes]) -> None:
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
                _row(recording.id, position, embedded, passage, vector, is_current=True)
                for position, (passage, vector) in enumerate(zip(passages, vectors or [b""], strict=True))
            ],
        )
    if vectors:
        wanted_model.note_size(embedded.model, len(vectors[0]))


def _row(
    recording_id: int | None,
    position: int,
    embedded: Material,
    passage: Passage,
    vector: bytes,
    *,
    is_current: bool,
) -> dict[str, Any]:
    first, last = embedded.rows[passage.first], embedded.rows[passage.last]
    return {
        "recording_id": recording_id,
        "position": position,
        "first_segment_id": first.id,
        "last_segment_id": last.id,
        "start": first.start,
        "end": last.end,
        "sha256": fingerprint(passage.text),
        "model": embedded.model,
        "vector": vector,
        "is_current": is_current,
    }


def queue_missing() -> int:
    """Queue recordings without passages of the current model, newest first and a few at a time; return their number.

    After a failure this pauses, because the model is probably unavailable.
    """
    if not is_wanted():
        return 0
    wanted_model.declare()
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
    wanted = wanted_model.read()
    found = _missing(wanted, moment, room) if room > 0 else ()
    for number in found:
        # One by one: two concurrent maintenance runs could otherwise deadlock.
        with unit_of_work():
            _queue(number, wanted.model)
    return len(found)


def _missing(wanted: wanted_model.WantedModel, moment: datetime, most: int) -> Sequence[int]:
    is_there = exists().where(
        _P.recording_id == Recording.id,
        _P.position == 0,
        _P.model == wanted.model,
        _P.is_current,
        _has_size_of(wanted),
    )
    was_tried = exists().where(
        Job.recording_id == Recording.id,
        Job.kind == JobKind.EMBED,
        or_(
            Job.state.in_(ACTIVE),
            Job.queued_at > moment - _SAME_RECORDING_AGAIN,
            _is_refused(wanted.model, moment),
        ),
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


def _has_size_of(wanted: wanted_model.WantedModel) -> ColumnElement[bool]:
    """Return the condition for vectors of the model's size. A transcript without words has an empty one."""
    return func.length(_P.vector).in_((0, wanted.vector_bytes)) if wanted.vector_bytes else true()


def _is_refused(model: str, moment: datetime) -> ColumnElement[bool]:
    """Return the condition for jobs after whose permanent failure a recording still waits."""
    options = Job.__table__.c.options
    tries = options["tries"].as_integer()
    pauses = [
        and_(tries == count, Job.queued_at > moment - pause)
        for count, pause in enumerate(_AFTER_REFUSALS, start=1)
    ]
    return and_(
        Job.state == JobState.FAILED,
        Job.error_code.in_(_PERMANENT),
        options["model"].as_string() == model,
        options["revision"].as_integer() == Recording.transcript_revision,
        or_(*pauses, and_(tries > len(_AFTER_REFUSALS), Job.queued_at > moment - _AFTER_MORE_REFUSALS)),
    )


def _queue(recording_id: int, model: str) -> None:
    recording = db.session.get(Recording, recording_id)
    if recording is None:
        return
    made_for = {"model": model, "revision": recording.transcript_revision}
    earlier = db.session.execute(
        select(Job.options, Job.error_code)
        .where(Job.recording_id == recording_id, Job.kind == JobKind.EMBED, Job.state == JobState.FAILED)
        .order_by(Job.id.desc())
        .limit(1)
    ).first()
    is_repeated = (
        earlier is not None
        and earlier.error_code in _PERMANENT
        and all(earlier.options.get(name) == value for name, value in made_for.items())
    )
    tries = int(earlier.options.get("tries", 0)) + 1 if earlier is not None and is_repeated else 1
    # Keep only the last job of each recording.
    db.session.execute(
        delete(Job).where(
            Job.recording_id == recording_id, Job.kind == JobKind.EMBED, Job.state.not_in(ACTIVE)
        ),
        execution_options={"synchronize_session": False},
    )
    queueing.add(recording, JobKind.EMBED, {**made_for, "tries": tries})
