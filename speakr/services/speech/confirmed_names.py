"""Names that users confirmed stay when a recording is transcribed again, although its labels are new."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from speakr.db import db
from speakr.domain import time_overlap
from speakr.domain.transcript import Span
from speakr.media.voices.weights import MODEL_VERSION
from speakr.models import RecordingSpeaker, RecordingVoice, Segment
from speakr.services.speech.voice_profiles import IS_OF_LABEL, cosine_of

SAME_SPEECH = 0.95
"""Minimum cosine of the same speech in two transcriptions of a recording; voices in two recordings do not reach it."""
SAME_TIME = 0.6
"""Minimum share of the longer speech, for naming a label that speaks when a confirmed speaker did before."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A speaker of a recording whose name a user confirmed: the voice, and when it speaks.

    `vector` is None if an earlier model made the voice, which cannot be compared with new ones.
    """

    speaker_id: int
    name: str
    vector: bytes | None
    spans: Sequence[Span]
    """In order and without overlaps."""


def confirmed_in(recording_id: int) -> list[Confirmed]:
    """Return the speakers of a recording with confirmed names and stored voices, before its segments are replaced."""
    rows = db.session.execute(
        select(
            RecordingSpeaker.label,
            RecordingSpeaker.speaker_id,
            RecordingSpeaker.name,
            RecordingVoice.vector,
            RecordingVoice.model,
        )
        .join(RecordingVoice, IS_OF_LABEL)
        .where(RecordingSpeaker.recording_id == recording_id, RecordingSpeaker.confirmed)
    ).all()
    outdated = [row.label for row in rows if row.model != MODEL_VERSION]
    spans = _spans_of(recording_id, outdated) if outdated else {}
    return [
        Confirmed(
            row.speaker_id,
            row.name,
            row.vector if row.model == MODEL_VERSION else None,
            time_overlap.merged(spans.get(row.label, ())),
        )
        for row in rows
        if row.speaker_id is not None
    ]


def _spans_of(recording_id: int, labels: Collection[str]) -> dict[str, list[Span]]:
    found: dict[str, list[Span]] = {}
    for label, start, end in db.session.execute(
        select(Segment.speaker, Segment.start, Segment.end).where(
            Segment.recording_id == recording_id, Segment.speaker.in_(labels)
        )
    ):
        found.setdefault(label, []).append(Span(start, end))
    return found


def matched_again(
    recording_id: int, earlier: Sequence[Confirmed], spoken: Mapping[str, Sequence[Span]]
) -> dict[str, Confirmed]:
    """Return the labels of a new transcription that are speakers of the earlier one.

    Voices are compared. A voice of an earlier model cannot be, so its speaker is the label that speaks at the same time.
    spoken: when each label of the new transcription speaks.
    """
    if not earlier:
        return {}
    voices = db.session.execute(
        select(RecordingVoice.label, RecordingVoice.vector).where(RecordingVoice.recording_id == recording_id)
    ).all()
    pairs = [
        (cosine, label, known)
        for label, vector in voices
        for known in earlier
        if known.vector is not None and (cosine := cosine_of(vector, known.vector)) >= SAME_SPEECH
    ]
    found = _paired(pairs, {})
    return _paired(_at_the_same_time(earlier, spoken), found)


def _at_the_same_time(
    earlier: Sequence[Confirmed], spoken: Mapping[str, Sequence[Span]]
) -> list[tuple[float, str, Confirmed]]:
    """Return the share of time for each label and speaker without a comparable voice, if it leaves no doubt."""
    pairs = []
    for label, spans in spoken.items():
        covered = time_overlap.merged(spans)
        for known in earlier:
            longest = max(time_overlap.seconds_of(covered), time_overlap.seconds_of(known.spans))
            if known.vector is None and longest:
                share = time_overlap.shared_seconds(covered, known.spans) / longest
                pairs += [(share, label, known)] if share >= SAME_TIME else []
    return pairs


def _paired(
    pairs: Sequence[tuple[float, str, Confirmed]], found: Mapping[str, Confirmed]
) -> dict[str, Confirmed]:
    """Add the most similar pairs to those found before. Each label and each speaker is in one pair."""
    all_found = dict(found)
    for _, label, known in sorted(pairs, key=lambda pair: -pair[0]):
        if label not in all_found and known not in all_found.values():
            all_found[label] = known
    return all_found
