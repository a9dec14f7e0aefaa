"""Suggest names for the speakers of a recording. This changes nothing: users confirm the names."""

from __future__ import annotations

from speakr.connectors.language.base import IdentifyRequest
from speakr.db import release, unit_of_work
from speakr.domain.errors import Invalid
from speakr.domain.paging import Window
from speakr.domain.permissions import Actor, Permission
from speakr.models import Recording
from speakr.services.accounts import budgets, usage
from speakr.services.language import language_model
from speakr.services.recordings import access
from speakr.services.speech import speakers, transcripts

MAX_KNOWN_NAMES = 1_000
"""Of the actor's speakers, those in most recordings."""


def suggest_names(actor: Actor, recording_id: int) -> dict[str, str]:
    """Return a name for each label in a recording's transcript, empty where the engine finds none.

    Opens its own unit of work after the answer.
    """
    recording = access.get(actor, recording_id, Permission.EDIT)
    segments = transcripts.labelled_segments_of(recording.id)
    if not segments:
        raise Invalid("No transcription available", code="no_transcription")
    labels = list(dict.fromkeys(segment.speaker for segment in segments if segment.speaker.strip()))
    if not labels:
        raise Invalid("No speakers found in transcription", code="no_speakers")
    request = IdentifyRequest(
        lines=language_model.to_lines(segments), labels=labels, known_names=_known_names(actor, recording)
    )
    if language_model.spends_tokens():
        budgets.admit_question(actor.user_id)
    release()
    found = language_model.ask(
        actor.user_id,
        lambda engine: engine.identify_speakers(request),
        or_say="Speaker identification not available",
    )
    with unit_of_work():
        usage.add(actor.user_id, tokens=found.usage.total)
    return {label: found.names.get(label) or "" for label in labels}


def _known_names(actor: Actor, recording: Recording) -> list[str]:
    """Return candidate names: the recording's participants first, then the actor's most frequent speakers."""
    participants = [name.strip() for name in (recording.participants or "").split(",")]
    known = [speaker.name for speaker in speakers.list_page(actor, Window(0, MAX_KNOWN_NAMES)).items]
    return [name for name in dict.fromkeys([*participants, *known]) if name]
