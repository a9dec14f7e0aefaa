"""Voices that an earlier version's model made. They match nothing until a job makes them again from the audio."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, or_, select, update

from speakr.db import db, unit_of_work
from speakr.domain.clock import now
from speakr.domain.errors import TransientJobError
from speakr.domain.jobs import ACTIVE, JobKind
from speakr.domain.transcript import Span
from speakr.media.voices.weights import MODEL_VERSION
from speakr.models import Job, Recording, RecordingSpeaker, RecordingVoice, Segment
from speakr.services.jobs import claims, queueing
from speakr.services.speech import engines
from speakr.services.speech.voice_profiles import PROFILE_SECONDS, ProfileVoice

MAX_WAITING = 5
"""Recordings that are queued at a time, so that other jobs do not wait behind many of them."""
MAX_SECONDS = 120.0
"""Seconds of speech that are read for each label, the longest segments first."""
_SAME_RECORDING_AGAIN = timedelta(days=1)

_IS_OUTDATED = RecordingVoice.model != MODEL_VERSION


@dataclass(frozen=True, slots=True)
class Speech:
    """When each label with an outdated voice speaks, by the revision of the transcript that was read."""

    revision: int
    spans: Mapping[str, Sequence[Span]]


def speech(recording_id: int) -> Speech:
    """Return where the outdated voices of a recording speak."""
    revision = db.session.scalar(select(Recording.transcript_revision).where(Recording.id == recording_id))
    rows = db.session.execute(
        select(Segment.speaker, Segment.start, Segment.end)
        .join(
            RecordingVoice,
            (RecordingVoice.recording_id == Segment.recording_id) & (RecordingVoice.label == Segment.speaker),
        )
        .where(Segment.recording_id == recording_id, _IS_OUTDATED, ~Segment.overlap)
        .order_by((Segment.end - Segment.start).desc(), Segment.position)
    )
    found: dict[str, list[Span]] = {}
    read: dict[str, float] = {}
    for label, start, end in rows:
        left = MAX_SECONDS - read.get(label, 0.0)
        if left > 0 and end > start:
            found.setdefault(label, []).append(Span(start, min(end, start + left)))
            read[label] = read.get(label, 0.0) + end - start
    return Speech(revision or 0, found)


def store(held: claims.Claim, made_from: Speech, voices: Sequence[ProfileVoice]) -> None:
    """Replace the outdated voices of a recording and end the job, in the transaction of the caller.

    Only rows that are still there change: what the user deleted meanwhile stays deleted. A voice whose label speaks
    no more is deleted.

    Raises:
        ClaimLost: another worker owns the job.
        TransientJobError: the transcript has been replaced meanwhile.
    """
    claims.succeed(held)
    recording = db.session.get_one(Recording, held.recording_id, with_for_update={"key_share": True})
    if recording.transcript_revision != made_from.revision:
        raise TransientJobError("The transcript was replaced while the job ran.", code="transcript_replaced")
    for voice in voices:
        db.session.execute(
            update(RecordingVoice)
            .where(
                RecordingVoice.recording_id == recording.id, RecordingVoice.label == voice.label, _IS_OUTDATED
            )
            .values(vector=voice.vector, seconds=voice.seconds, model=MODEL_VERSION)
            .execution_options(synchronize_session=False)
        )
    db.session.execute(
        delete(RecordingVoice).where(RecordingVoice.recording_id == recording.id, _IS_OUTDATED),
        execution_options={"synchronize_session": False},
    )


def speakers_with_outdated(speaker_ids: Collection[int]) -> set[int]:
    """Return the speakers for whom enough voices are stored for a profile, but by an earlier model."""
    if not speaker_ids:
        return set()
    is_voice_of: ColumnElement[bool] = (RecordingVoice.recording_id == RecordingSpeaker.recording_id) & (
        RecordingVoice.label == RecordingSpeaker.label
    )
    rows = db.session.scalars(
        select(RecordingSpeaker.speaker_id)
        .join(RecordingVoice, is_voice_of)
        .where(RecordingSpeaker.speaker_id.in_(speaker_ids), RecordingSpeaker.confirmed, _IS_OUTDATED)
        .group_by(RecordingSpeaker.speaker_id)
        .having(func.sum(RecordingVoice.seconds) >= PROFILE_SECONDS)
    )
    return {speaker_id for speaker_id in rows if speaker_id is not None}


def queue_outdated() -> int:
    """Queue recordings with outdated voices and with audio, newest first, a few at a time; return their number."""
    if not engines.tells_voices_apart():
        return 0
    waiting = select(func.count()).where(Job.kind == JobKind.VOICES, Job.state.in_(ACTIVE))
    room = MAX_WAITING - (db.session.scalar(waiting) or 0)
    found = _outdated(now() - _SAME_RECORDING_AGAIN, room) if room > 0 else ()
    for recording_id in found:
        # One by one: two concurrent maintenance runs could otherwise deadlock.
        with unit_of_work():
            recording = db.session.get(Recording, recording_id)
            if recording is not None:
                queueing.add(recording, JobKind.VOICES)
    return len(found)


def _outdated(not_since: Any, most: int) -> Sequence[int]:
    was_tried = exists().where(
        Job.recording_id == Recording.id,
        Job.kind == JobKind.VOICES,
        or_(Job.state.in_(ACTIVE), Job.queued_at > not_since),
    )
    return db.session.scalars(
        select(Recording.id)
        .where(
            Recording.id.in_(select(RecordingVoice.recording_id).where(_IS_OUTDATED)),
            Recording.storage_key.is_not(None),
            ~was_tried,
        )
        .order_by(Recording.id.desc())
        .limit(most)
    ).all()
