"""Voice vectors and voice profiles.

The vector of each label's voice is stored, unless the recording's owner has disabled this. A speaker's profile is not
stored: it is computed on each use as the mean of the voices that a user confirmed as theirs. It is therefore always
consistent with the names, and is deleted with them.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import mul
from typing import Any

from sqlalchemy import and_, delete, func, insert, select

from speakr.backends import get_backends
from speakr.db import db
from speakr.domain.permissions import Actor
from speakr.media.voices.weights import MODEL_VERSION
from speakr.models import Recording, RecordingSpeaker, RecordingVoice, Speaker
from speakr.services import row_locks

ACCEPTED = 0.68
"""Minimum cosine for naming a voice. Measured: other speakers reach 0.48, and each speaker's own voice has 0.87 or more."""
ACCEPTED_MARGIN = 0.05
"""Minimum difference between the cosines of the best and the second best speaker."""
SUGGESTED = 0.55
MAX_SUGGESTED = 3

PROFILE_SECONDS = 5.0
"""Seconds of speech for a profile that is good enough for suggestions."""
TRUSTED_SECONDS = 10.0
"""Seconds of speech for a profile that may name speakers without confirmation."""
MAX_OBSERVED = 20
"""Recordings in a profile: the latest, because voices and microphones change."""

_DIMENSIONS = 192
_HALF_FLOATS = struct.Struct(f"<{_DIMENSIONS}e")

Vector = Sequence[float]


@dataclass(frozen=True, slots=True)
class ProfileVoice:
    """The voice of one label of a recording: 192 half-precision floats of norm 1, from `seconds` of speech.

    The vector of another `model` may have another form, and cannot be compared with those of this version.
    """

    label: str
    vector: bytes
    seconds: float
    model: str = MODEL_VERSION

    @property
    def is_current(self) -> bool:
        """The model of this version made it."""
        return self.model == MODEL_VERSION


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A speaker whom a voice may belong to; `similarity` in percent."""

    speaker_id: int
    name: str
    similarity: float


@dataclass(frozen=True, slots=True)
class _Profile:
    speaker_id: int
    name: str
    vector: Vector
    seconds: float


@dataclass(frozen=True, slots=True)
class _Match:
    profile: _Profile
    cosine: float


def keep(recording_id: int, voices: Sequence[ProfileVoice]) -> None:
    """Replace the stored voices of a recording; stores none if voice profiles are disabled on the server."""
    db.session.execute(delete(RecordingVoice).where(RecordingVoice.recording_id == recording_id))
    if voices and get_backends().settings.voice_profiles:
        db.session.execute(
            insert(RecordingVoice),
            [
                {
                    "recording_id": recording_id,
                    "label": voice.label,
                    "vector": voice.vector,
                    "seconds": voice.seconds,
                    "model": voice.model,
                }
                for voice in voices
            ],
        )


def voices_of(recording_id: int) -> list[ProfileVoice]:
    """Return the stored voices of a recording, also those of earlier models."""
    rows = db.session.execute(
        select(
            RecordingVoice.label, RecordingVoice.vector, RecordingVoice.seconds, RecordingVoice.model
        ).where(RecordingVoice.recording_id == recording_id)
    )
    return [ProfileVoice(row.label, row.vector, row.seconds, row.model) for row in rows]


def blended(voices: Sequence[ProfileVoice]) -> list[ProfileVoice]:
    """Return one voice per label: the mean of its voices, each as heavy as its speech is long.

    Voices of earlier models have no mean with others. Of a label that has no other voices, the longest one stays, until
    a job makes it again.
    """
    by_label: dict[str, list[ProfileVoice]] = {}
    for voice in voices:
        by_label.setdefault(voice.label, []).append(voice)
    return [_blend(label, theirs) for label, theirs in by_label.items()]


def _blend(label: str, voices: Sequence[ProfileVoice]) -> ProfileVoice:
    current = [voice for voice in voices if voice.is_current]
    if not current:
        return replace(max(voices, key=lambda voice: voice.seconds), label=label)
    voices = current
    mean = _mean(voices)
    length = sum(map(mul, mean, mean)) ** 0.5
    if len(voices) == 1 or not length:
        return ProfileVoice(label, voices[0].vector, sum(voice.seconds for voice in voices))
    vector = _HALF_FLOATS.pack(*(value / length for value in mean))
    return ProfileVoice(label, vector, sum(voice.seconds for voice in voices))


def delete_all(actor: Actor) -> int:
    """Delete all stored voices in the actor's recordings; return their number."""
    return forget(actor.user_id)


def forget(user_id: int) -> int:
    """Delete all stored voices in a user's recordings; return their number."""
    is_of_user = RecordingVoice.recording_id.in_(select(Recording.id).where(Recording.user_id == user_id))
    # The recordings first, because deleting them deletes their voices too.
    row_locks.hold(Recording, Recording.user_id == user_id)
    forgotten = db.session.scalars(
        delete(RecordingVoice).where(is_of_user).returning(RecordingVoice.recording_id),
        execution_options={"synchronize_session": False},
    )
    return len(forgotten.all())


def learned(recording_id: int, labels: Collection[str]) -> int:
    """Return the number of speakers whose profiles include the voices of these labels."""
    if not labels or not get_backends().settings.voice_profiles:
        return 0
    return (
        db.session.scalar(
            select(func.count(RecordingSpeaker.speaker_id.distinct()))
            .join(RecordingVoice, _IS_VOICE_OF)
            .where(RecordingSpeaker.recording_id == recording_id, RecordingSpeaker.label.in_(labels))
        )
        or 0
    )


def confidences(speaker_ids: Sequence[int]) -> Mapping[int, float]:
    """Return the confidence of each speaker's profile, 0 to 1, without speakers that have none.

    It grows with the seconds of speech in a profile: 0.5 after 10 seconds, 0.86 after a minute.
    """
    if not speaker_ids or not get_backends().settings.voice_profiles:
        return {}
    total = func.sum(RecordingVoice.seconds)
    rows = db.session.execute(
        select(RecordingSpeaker.speaker_id, total)
        .join(RecordingVoice, _IS_VOICE_OF)
        .where(RecordingSpeaker.speaker_id.in_(speaker_ids), RecordingSpeaker.confirmed)
        .group_by(RecordingSpeaker.speaker_id)
        .having(total >= PROFILE_SECONDS)
    )
    return {
        speaker_id: round(seconds / (seconds + TRUSTED_SECONDS), 2)
        for speaker_id, seconds in rows
        if speaker_id is not None
    }


def suggest(recording: Recording, labels: Sequence[str]) -> Mapping[str, Sequence[Suggestion]]:
    """Return for each label up to three of the owner's speakers with a similar voice, the most similar first."""
    return {
        label: [
            Suggestion(match.profile.speaker_id, match.profile.name, round(100 * match.cosine, 1))
            for match in likely[:MAX_SUGGESTED]
        ]
        for label, matches in _compare(recording, labels).items()
        if (likely := [match for match in matches if match.cosine >= SUGGESTED])
    }


def recognised(recording: Recording, labels: Sequence[str], least: float) -> dict[str, Suggestion]:
    """Return the speakers whom the voices of a recording certainly belong to, by label.

    The cosine must reach both `least` and `ACCEPTED`, and exceed that of the second best speaker by
    `ACCEPTED_MARGIN`. A speaker gets at most one voice of a recording.
    """
    sure: list[tuple[str, _Match]] = []
    for label, matches in _compare(recording, labels).items():
        best, *others = matches
        is_near = best.cosine >= max(least, ACCEPTED) and best.profile.seconds >= TRUSTED_SECONDS
        if is_near and (not others or best.cosine - others[0].cosine >= ACCEPTED_MARGIN):
            sure.append((label, best))
    found: dict[int, tuple[str, _Match]] = {}
    for label, match in sorted(sure, key=lambda pair: -pair[1].cosine):
        found.setdefault(match.profile.speaker_id, (label, match))
    return {
        label: Suggestion(match.profile.speaker_id, match.profile.name, round(100 * match.cosine, 1))
        for label, match in found.values()
    }


def _compare(recording: Recording, labels: Sequence[str]) -> dict[str, list[_Match]]:
    """Return for each label the known speakers with the cosines of their voices, the most similar first."""
    if not labels or not get_backends().settings.voice_profiles:
        return {}
    voices = db.session.execute(
        select(RecordingVoice.label, RecordingVoice.vector).where(
            RecordingVoice.recording_id == recording.id,
            RecordingVoice.label.in_(labels),
            RecordingVoice.model == MODEL_VERSION,
        )
    ).all()
    profiles = _profiles(recording.user_id) if voices else []
    if not profiles:
        return {}
    return {
        label: sorted(
            (_Match(profile, _cosine(_HALF_FLOATS.unpack(vector), profile.vector)) for profile in profiles),
            key=lambda match: -match.cosine,
        )
        for label, vector in voices
    }


def _profiles(owner_id: int) -> list[_Profile]:
    """Return the voice profiles of a user's speakers."""
    place = func.row_number().over(
        partition_by=RecordingSpeaker.speaker_id, order_by=RecordingSpeaker.recording_id.desc()
    )
    # Fetch the vectors of the latest voices only: sorting all vectors would mean reading them all.
    observed = (
        select(
            Speaker.id.label("speaker_id"),
            Speaker.name,
            RecordingVoice.recording_id,
            RecordingVoice.label,
            place.label("place"),
        )
        .select_from(Speaker)
        .join(RecordingSpeaker, RecordingSpeaker.speaker_id == Speaker.id)
        .join(RecordingVoice, _IS_VOICE_OF)
        .where(Speaker.user_id == owner_id, RecordingSpeaker.confirmed)
        .subquery()
    )
    rows = db.session.execute(
        select(observed.c.speaker_id, observed.c.name, RecordingVoice.vector, RecordingVoice.seconds)
        .join(
            observed,
            and_(
                RecordingVoice.recording_id == observed.c.recording_id,
                RecordingVoice.label == observed.c.label,
            ),
        )
        .where(observed.c.place <= MAX_OBSERVED)
    )
    by_speaker: dict[int, list[Any]] = {}
    for row in rows:
        by_speaker.setdefault(row.speaker_id, []).append(row)
    return [
        _Profile(speaker_id, rows_of_speaker[0].name, _mean(rows_of_speaker), seconds)
        for speaker_id, rows_of_speaker in by_speaker.items()
        if (seconds := sum(row.seconds for row in rows_of_speaker)) >= PROFILE_SECONDS
    ]


def _mean(rows: Sequence[Any]) -> Vector:
    """Return the mean of voices, weighted by the seconds of their speech."""
    mean = [0.0] * _DIMENSIONS
    for row in rows:
        mean = [
            old + row.seconds * new for old, new in zip(mean, _HALF_FLOATS.unpack(row.vector), strict=True)
        ]
    return mean


def cosine_of(one: bytes, other: bytes) -> float:
    """Return the cosine of two voices, both of the present model."""
    return _cosine(_HALF_FLOATS.unpack(one), _HALF_FLOATS.unpack(other))


def _cosine(one: Vector, other: Vector) -> float:
    # Without numpy: this runs in web processes, and 192 numbers are few.
    lengths = sum(map(mul, one, one)) * sum(map(mul, other, other))
    return sum(map(mul, one, other)) / lengths**0.5 if lengths else 0.0


IS_OF_LABEL = and_(
    RecordingVoice.recording_id == RecordingSpeaker.recording_id,
    RecordingVoice.label == RecordingSpeaker.label,
)
"""The stored voice of a named label, whichever model made it."""
_IS_VOICE_OF = and_(IS_OF_LABEL, RecordingVoice.model == MODEL_VERSION)
