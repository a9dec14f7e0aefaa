"""Suggestions who is who in a recording. Nothing is changed: people decide."""

from __future__ import annotations

from speakr.connectors.language.base import IdentifyRequest
from speakr.db import release, unit_of_work
from speakr.domain.errors import Invalid
from speakr.domain.permissions import Actor, Permission
from speakr.models import Recording
from speakr.services.accounts import budgets, usage
from speakr.services.language import language_model
from speakr.services.recordings import access
from speakr.services.speech import speakers, transcripts


def suggest_names(actor: Actor, recording_id: int) -> dict[str, str]:
    """Return a name for each label heard in a recording, empty where none is clear.

    Opens its own unit of work once the answer is there.
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
    """Return who may be among them: the recording's participants first, then the speakers the actor knows best."""
    participants = [name.strip() for name in (recording.participants or "").split(",")]
    known = [speaker.name for speaker in speakers.list_for(actor)]
    return [name for name in dict.fromkeys([*participants, *known]) if name]
