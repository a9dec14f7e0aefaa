"""Questions about all recordings a user may see, answered from the passages that match."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from speakr.connectors.language.base import ChatRequest
from speakr.db import release, unit_of_work
from speakr.domain.clock import isoformat_z
from speakr.domain.conversation import ChatMessage, Role
from speakr.domain.errors import Invalid
from speakr.domain.permissions import Actor
from speakr.domain.statements import NumberedLine, Source
from speakr.services.accounts import budgets, usage, users
from speakr.services.language import language_model, library_passages
from speakr.services.recordings import listing

NOTHING = "Nothing in the transcripts you may see matches the question."

_BETWEEN = NumberedLine("", "", 0.0)
"""A line between passages, so that adjacent lines never come from two recordings."""


def ask(
    actor: Actor, message: str, history: Sequence[ChatMessage], filters: listing.Filters
) -> dict[str, Any]:
    """Answer a question. Opens its own unit of work after the answer, as no transaction may stay open meanwhile."""
    if not message.strip():
        raise Invalid("message is required", errors={"message": ["is required"]})
    language = users.preferences(users.get(actor.user_id))["output_language"]
    if language_model.spends_tokens():
        budgets.admit_question(actor.user_id)
    found = library_passages.find(actor, _search_text(message, history), filters)
    if not found.passages:
        return {"response": NOTHING, "sources": [], "unverified": [], "mode_used": found.mode_used.value}
    rows: list[Any] = []
    lines: list[NumberedLine] = []
    for passage in found.passages:
        rows += [None, *passage]
        lines += [_BETWEEN, *(_line(row, found.recordings[row.recording_id]) for row in passage)]
    request = ChatRequest(lines=lines, question=message, history=history, language=language)
    release()
    answer = language_model.ask(
        actor.user_id, lambda engine: engine.chat(request), or_say="Chat service not available"
    )
    with unit_of_work():
        usage.add(actor.user_id, tokens=answer.usage.total)
    return {
        "response": answer.text,
        "sources": [_source(source, rows[source.line], found) for source in answer.sources],
        "unverified": list(answer.unverified),
        "mode_used": found.mode_used.value,
    }


def _search_text(message: str, history: Sequence[ChatMessage]) -> str:
    """Return the text to search for: if the question has no search terms, the last earlier question that has some."""
    asked = [message, *(turn.text for turn in reversed(history) if turn.role is Role.USER)]
    return next((text for text in asked if library_passages.terms_of(text)), message)


def _line(row: Any, recording: Any) -> NumberedLine:
    day = isoformat_z(recording.meeting_date or recording.created_at)[:10]
    return NumberedLine(row.speaker, row.text, row.start, row.end, f"“{recording.title}” of {day}")


def _source(source: Source, row: Any, found: library_passages.Found) -> dict[str, Any]:
    return {
        "recording_id": row.recording_id,
        "recording_title": found.recordings[row.recording_id].title,
        "segment_id": row.id,
        "segment_index": row.position,
        "start_time": row.start,
        "end_time": row.end,
        "speaker": row.speaker,
        "quote": source.quote,
    }
