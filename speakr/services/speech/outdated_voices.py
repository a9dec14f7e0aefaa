"""Voices that an earlier version's model made. They match nothing until a job makes them again from the audio."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, delete, exists, func, or_, select, update

from speakr.backends import get_backends
from speakr.db import db, unit_of_work
from speakr.domain.clock import now
from speakr.domain.errors import TransientJobError
from speakr.domain.jobs import ACTIVE, JobKind, JobState
from speakr.domain.transcript import Span
from speakr.media.voices.weights import MODEL_VERSION
from speakr.models import Job, Recording, RecordingSpeaker, RecordingVoice, Segment
from speakr.services.jobs import claims, queueing
from speakr.services.speech import engines
from speakr.services.speech.voice_profiles import IS_OF_LABEL, PROFILE_SECONDS, ProfileVoice

MAX_WAITING = 5
"""Recordings that are queued at a time, so that other jobs do not wait behind many of them."""
MAX_SECONDS = 120.0
"""Seconds of speech that are read for each label, the longest segments first."""
_SAME_RECORDING_AGAIN = timedelta(days=1)

_FINAL = ("audio_missing", "undecodable", "no_audio_stream", "not_media", "unsupported_format", "too_long")
"""Codes of failures that repeat until the model or the transcript changes."""

_IS_OUTDATED = RecordingVoice.model != MODEL_VERSION


@dataclass(frozen=True, slots=True)
class Speech:
    """When each label with an outdated voice speaks, by the revision of the transcript that was read."""

    revision: int
    spans: Mapping[str, Sequence[Span]]
    has_one_track: bool
    is_split: bool
    """Channels of a track were transcribed separately, each as a speaker."""


def speech(recording_id: int) -> Speech:
    """Return where the outdated voices of a recording speak."""
    recording = db.session.execute(
        select(Recording.transcript_revision, Recording.tracks).where(Recording.id == recording_id)
    ).one_or_none()
    revision, tracks = (0, []) if recording is None else (recording[0], recording[1] or [])
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
    is_split = any(track.get("is_split") for track in tracks)
    return Speech(revision, found, has_one_track=len(tracks) == 1, is_split=is_split)


def store(held: claims.Claim, made_from: Speech, voices: Sequence[ProfileVoice]) -> None:
    """Replace the outdated voices of a recording and end the job, in the transaction of the caller.

    Only rows that are still there change: what the user deleted meanwhile stays deleted. A voice of which no vector could
    be made stays as it is, unless its label speaks no more.

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
        delete(RecordingVoice).where(
            RecordingVoice.recording_id == recording.id,
            _IS_OUTDATED,
            RecordingVoice.label.not_in(
                select(Segment.speaker).where(Segment.recording_id == recording.id).distinct()
            ),
        ),
        execution_options={"synchronize_session": False},
    )


def speakers_with_outdated(speaker_ids: Collection[int]) -> set[int]:
    """Return the speakers for whom enough voices are stored for a profile, but by an earlier model."""
    if not speaker_ids:
        return set()
    rows = db.session.scalars(
        select(RecordingSpeaker.speaker_id)
        .join(RecordingVoice, IS_OF_LABEL)
        .where(RecordingSpeaker.speaker_id.in_(speaker_ids), RecordingSpeaker.confirmed, _IS_OUTDATED)
        .group_by(RecordingSpeaker.speaker_id)
        .having(func.sum(RecordingVoice.seconds) >= PROFILE_SECONDS)
    )
    return {speaker_id for speaker_id in rows if speaker_id is not None}


def queue_outdated() -> int:
    """Queue recordings with outdated voices and with audio, newest first, a few at a time; return their number."""
    if not engines.tells_voices_apart() or not get_backends().settings.voice_profiles:
        return 0
    waiting = select(func.count()).where(Job.kind == JobKind.VOICES, Job.state.in_(ACTIVE))
    room = MAX_WAITING - (db.session.scalar(waiting) or 0)
    found = _outdated(now() - _SAME_RECORDING_AGAIN, room) if room > 0 else ()
    for recording_id in found:
        # One by one: two concurrent maintenance runs could otherwise deadlock.
        with unit_of_work():
            recording = db.session.get(Recording, recording_id)
            if recording is not None:
                _queue(recording)
    return len(found)


def _queue(recording: Recording) -> None:
    # Keep only the last job of each recording.
    db.session.execute(
        delete(Job).where(
            Job.recording_id == recording.id, Job.kind == JobKind.VOICES, Job.state.not_in(ACTIVE)
        ),
        execution_options={"synchronize_session": False},
    )
    made_for = {"model": MODEL_VERSION, "revision": recording.transcript_revision}
    queueing.add(recording, JobKind.VOICES, made_for)


def _outdated(not_since: Any, most: int) -> Sequence[int]:
    options = Job.__table__.c.options
    is_futile = and_(
        or_(Job.state == JobState.SUCCEEDED, Job.error_code.in_(_FINAL)),
        options["model"].as_string() == MODEL_VERSION,
        options["revision"].as_integer() == Recording.transcript_revision,
    )
    was_tried = exists().where(
        Job.recording_id == Recording.id,
        Job.kind == JobKind.VOICES,
        or_(Job.state.in_(ACTIVE), Job.queued_at > not_since, is_futile),
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
