"""Questions about one recording, answered from its transcript."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from speakr.connectors.language.base import ChatRequest
from speakr.db import release, unit_of_work
from speakr.domain.clock import isoformat_z
from speakr.domain.conversation import ChatMessage
from speakr.domain.errors import Invalid
from speakr.domain.permissions import Actor, Permission
from speakr.domain.transcript import Segment
from speakr.models import Recording
from speakr.services.accounts import budgets, usage, users
from speakr.services.language import language_model
from speakr.services.recordings import access
from speakr.services.speech import transcripts


def ask(actor: Actor, recording_id: int, message: str, history: Sequence[ChatMessage]) -> dict[str, Any]:
    """Answer a question. Opens its own unit of work after the answer, as no transaction may stay open meanwhile.

    The tokens count even if the client disconnects before the answer, because they are spent.
    """
    recording = access.get(actor, recording_id, Permission.VIEW, texts=("notes",))
    if not message.strip():
        raise Invalid("message is required", errors={"message": ["is required"]})
    rows = transcripts.rows_of(recording.id)
    segments = [Segment(*row[:5]) for row in rows]
    if not segments:
        raise Invalid("No transcription available", code="no_transcription")
    request = ChatRequest(
        lines=language_model.to_lines(segments),
        question=message,
        history=history,
        language=users.preferences(users.get(actor.user_id))["output_language"],
        notes=_metadata(recording, actor),
    )
    if language_model.spends_tokens():
        budgets.admit_question(actor.user_id)
    release()
    answer = language_model.ask(
        actor.user_id, lambda engine: engine.chat(request), or_say="Chat service not available"
    )
    with unit_of_work():
        usage.add(actor.user_id, tokens=answer.usage.total)
    return {
        "response": answer.text,
        "sources": [
            {
                "segment_id": rows[source.line].id,
                "segment_index": source.line,
                "start_time": segments[source.line].start,
                "end_time": segments[source.line].end,
                "speaker": segments[source.line].speaker,
                "quote": source.quote,
            }
            for source in answer.sources
        ],
        "unverified": list(answer.unverified),
        "coverage": round(answer.lines_read / len(segments), 4),
    }


def _metadata(recording: Recording, actor: Actor) -> str:
    """Return what is known about a recording besides its transcript."""
    when = recording.meeting_date or recording.created_at
    known = {
        "title": recording.title,
        "date": isoformat_z(when),
        "participants": recording.participants,
        "notes": recording.notes if recording.user_id == actor.user_id else None,  # owner only
    }
    return "; ".join(f"{name}: {text}" for name, text in known.items() if text)
