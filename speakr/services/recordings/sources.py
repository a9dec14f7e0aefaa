"""What a job reads of a recording. Jobs have no actor: they work on rows that they have claimed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from speakr.db import db
from speakr.domain.errors import ClaimLost, PermanentJobError
from speakr.domain.recordings import is_placeholder
from speakr.domain.statements import NumberedLine
from speakr.domain.transcript import Segment
from speakr.models import Recording, User
from speakr.services.accounts import budgets, users
from speakr.services.jobs.claims import Claim
from speakr.services.language import language_model, summaries
from speakr.services.recordings import moments
from speakr.services.speech import transcripts


def _recording(recording_id: int) -> Recording:
    recording = db.session.get(Recording, recording_id)
    if recording is None:
        raise ClaimLost("The recording has been deleted.")
    return recording


def audio_key(recording_id: int) -> str:
    """Return the storage key of a recording's audio."""
    key = _recording(recording_id).storage_key
    if key is None:
        raise PermanentJobError("Audio has been deleted", code="audio_deleted")
    return key


def used_tracks(recording_id: int) -> tuple[int, ...]:
    """Return the numbers of the audio tracks that were transcribed; none if that is not known."""
    return tuple(track["index"] for track in _recording(recording_id).tracks or () if track["is_used"])


def mime_type(recording_id: int) -> str:
    """Return the media type of a recording's audio, which may not be stored yet."""
    return _recording(recording_id).mime_type


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A transcript in the form that language engines read; `segment_ids` has the segment id of each line."""

    lines: Sequence[NumberedLine]
    segment_ids: Sequence[int]
    language: str | None
    """The language to write in; None leaves the choice to the engine."""
    spoken_language: str | None
    owner_id: int
    revision: int
    """The revision of the transcript."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryMaterial(Material):
    """Input for a summary and a title."""

    instructions: str | None
    wants_title: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class InsightMaterial(Material):
    """Input for extracting insights. `moment` is timezone-aware, in the owner's time zone."""

    moment: datetime


def summary_material(held: Claim) -> SummaryMaterial:
    """Return a recording's transcript and the owner's instructions for the summary."""
    recording = _recording(held.recording_id)
    return SummaryMaterial(
        **_common(recording),
        instructions=summaries.instructions_for(recording, held.options),
        wants_title=is_placeholder(recording.title),
    )


def insight_material(held: Claim) -> InsightMaterial:
    """Return a recording's transcript and the time at which it was made."""
    recording = _recording(held.recording_id)
    owner = db.session.get_one(User, recording.user_id)
    return InsightMaterial(**_common(recording), moment=moments.spoken_at(recording, owner))


def _common(recording: Recording) -> dict[str, Any]:
    rows = _rows_to_read(recording)
    return {
        "lines": language_model.to_lines([Segment(*row[:5]) for row in rows]),
        "segment_ids": [row.id for row in rows],
        "language": users.preferences(db.session.get_one(User, recording.user_id))["output_language"],
        "spoken_language": recording.language,
        "owner_id": recording.user_id,
        "revision": recording.transcript_revision,
    }


def _rows_to_read(recording: Recording) -> Sequence[Any]:
    """Return the segments for an engine, unless there are none or the owner's token budget is used up."""
    rows = transcripts.rows_of(recording.id)
    if not rows:
        raise PermanentJobError("No transcription available - transcribe first", code="no_transcription")
    if language_model.spends_tokens():
        budgets.admit_language_job(recording.user_id)
    return rows
