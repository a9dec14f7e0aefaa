"""Transcripts as formatted text, with the server's rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select

from speakr.backends import get_backends
from speakr.db import db
from speakr.domain import paragraphs
from speakr.domain.paragraphs import ParagraphRules
from speakr.domain.transcript import is_long
from speakr.models import RecognizedTranscript, Segment
from speakr.offload import run_cpu

_S = Segment.__table__.c

# Built once, because every list of notes runs them.
_EDITED = select(RecognizedTranscript.recording_id).where(
    RecognizedTranscript.recording_id.in_(bindparam("recording_ids", expanding=True))
)
_BEGINNINGS = (
    select(_S.recording_id, _S.start, _S.end, _S.text)
    .where(
        _S.recording_id.in_(bindparam("recording_ids", expanding=True)), _S.position < bindparam("segments")
    )
    .order_by(_S.recording_id, _S.position)
)


class TimedText(NamedTuple):
    """A segment as far as its text is formatted."""

    start: float
    end: float
    text: str


def rules() -> ParagraphRules:
    """Return the rules of this server's settings."""
    settings = get_backends().settings
    return ParagraphRules(
        break_seconds=settings.paragraph_break_seconds,
        max_sentence_length=settings.max_sentence_length,
        is_on=settings.format_text,
    )


def are_edited(recording_ids: Sequence[int]) -> frozenset[int]:
    """Return those of the recordings whose text a person has corrected since the last transcription."""
    if not recording_ids:
        return frozenset()
    found = db.session.connection().execute(_EDITED, {"recording_ids": recording_ids})
    return frozenset(found.scalars())


def format_segments(segments: Sequence[Any], *, recording_id: int | None = None) -> str:
    """Return the text of segments in paragraphs. Checks no permission.

    recording_id: of present segments, whose text a person may have corrected.
    """
    applied = rules()
    is_edited = recording_id is not None and recording_id in are_edited([recording_id])
    return run_cpu(
        lambda: paragraphs.of_segments(segments, applied, is_edited=is_edited), is_long=is_long(segments)
    )


def beginnings(recording_ids: Sequence[int], *, segments: int) -> Mapping[int, str]:
    """Return the formatted text of the first segments of each recording. Checks no permission.

    Lists show it: a text of hours is not read for a page of recordings.
    """
    if not recording_ids:
        return {}
    rows = db.session.connection().execute(
        _BEGINNINGS, {"recording_ids": recording_ids, "segments": segments}
    )
    grouped: defaultdict[int, list[TimedText]] = defaultdict(list)
    for recording_id, *segment in rows:
        grouped[recording_id].append(TimedText(*segment))
    edited, applied = are_edited(recording_ids), rules()
    return {
        recording_id: paragraphs.of_segments(found, applied, is_edited=recording_id in edited)
        for recording_id, found in grouped.items()
    }
