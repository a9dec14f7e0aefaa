"""What a job may read of a recording. Jobs have no actor: they work on rows they hold a claim for."""

from __future__ import annotations

from dataclasses import dataclass

from speakr.db import db
from speakr.domain.errors import ClaimLost, PermanentJobError
from speakr.domain.recordings import is_placeholder
from speakr.domain.transcript import Segment
from speakr.models import Recording, User
from speakr.services import budgets, language_model, summaries, transcripts, users
from speakr.services.jobs.claims import Claim


def _recording(recording_id: int) -> Recording:
    recording = db.session.get(Recording, recording_id)
    if recording is None:
        raise ClaimLost("The recording has been deleted.")
    return recording


def audio_key(recording_id: int) -> str:
    """Return where a recording's audio lies."""
    key = _recording(recording_id).storage_key
    if key is None:
        raise PermanentJobError("Audio has been deleted", code="audio_deleted")
    return key


@dataclass(frozen=True, slots=True)
class SummaryMaterial:
    """All that is needed to write about a recording."""

    segments: list[Segment]
    instructions: str | None
    language: str | None
    wants_title: bool
    owner_id: int


def summary_material(held: Claim) -> SummaryMaterial:
    """Return a recording's transcript and how its owner wants it summarised."""
    recording = _recording(held.recording_id)
    segments = transcripts.segments_of(recording.id)
    if not segments:
        raise PermanentJobError("No transcription available - transcribe first", code="no_transcription")
    if language_model.spends_tokens():
        budgets.admit_language_job(recording.user_id)
    owner = db.session.get_one(User, recording.user_id)
    return SummaryMaterial(
        segments=segments,
        instructions=summaries.instructions_for(recording, held.options),
        language=users.preferences(owner)["output_language"],
        wants_title=is_placeholder(recording.title),
        owner_id=recording.user_id,
    )
