"""Find the matches in a recording: search its normalised lines, quote the original ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, or_, select

from speakr.db import db
from speakr.domain.quotes import quote
from speakr.domain.search import Field, Term, lines_of
from speakr.models import Recording, RecordingSpeaker, SearchDocument, Segment

MAX_MATCHES = 5
"""Matches per recording in a response."""

_D = SearchDocument.__table__.c
_R = Recording.__table__.c
_S = Segment.__table__.c
_NAMED = RecordingSpeaker.__table__.c


@dataclass(frozen=True, slots=True)
class Match:
    """A match. Only matches in a transcript have a segment, times and a speaker."""

    field: Field
    snippet: str
    segment_id: int | None = None
    start: float | None = None
    end: float | None = None
    speaker: str | None = None


def of(
    rows: Sequence[Any], own_ids: Iterable[int], terms: Sequence[Term], fields: Sequence[Field]
) -> Mapping[int, Sequence[Match]]:
    """Return the matches per recording in the searched fields; notes only for the actor's own recordings."""
    wanted = [term for term in terms if not term.is_excluded]
    own = set(own_ids)
    places = {
        document.recording_id: _places(
            document,
            wanted,
            [field for field in fields if field is not Field.NOTES or document.recording_id in own],
        )
        for document in _documents([row.id for row in rows])
    }
    originals = _original_lines(places)
    segments = _quoted_segments(places)
    found: dict[int, list[Match]] = {row.id: [] for row in rows}
    for recording_id, chosen in places.items():
        for field, line in chosen:
            if field is not Field.TRANSCRIPT:
                lines = originals[recording_id, field]
                if line < len(lines):  # otherwise it changed between the queries
                    found[recording_id].append(Match(field, quote(lines[line], wanted)))
            elif segment := segments.get((recording_id, line)):
                found[recording_id].append(
                    Match(
                        field,
                        quote(segment.text, wanted),
                        segment.id,
                        segment.start,
                        segment.end,
                        segment.speaker,
                    )
                )
    return found


def _documents(recording_ids: Sequence[int]) -> Sequence[Any]:
    if not recording_ids:
        return ()
    return db.session.connection().execute(select(*_D).where(_D.recording_id.in_(recording_ids))).all()


def _places(document: Any, terms: Sequence[Term], fields: Sequence[Field]) -> list[tuple[Field, int]]:
    """Choose the lines to quote: the best line of each field, then the next best, in the order of the texts."""
    ranked = [
        (rank, field, line)
        for field in fields
        for rank, line in enumerate(_best_lines(getattr(document, field), terms))
    ]
    # The best line of each field comes before any second best; among those, transcripts come first, as they have times.
    ranked.sort(key=lambda place: (place[0] > 0, place[1] is not Field.TRANSCRIPT, place[0]))
    chosen = {(field, line) for _, field, line in ranked[:MAX_MATCHES]}
    order = list(Field)
    return sorted(chosen, key=lambda place: (order.index(place[0]), place[1]))


def _best_lines(text: str, terms: Sequence[Term]) -> list[int]:
    """Return the lines with the most terms, in the order of the text among equals."""
    needles = [term.needle for term in terms if term.needle in text]
    if not needles:
        return []
    counts: list[tuple[int, int]] = []
    complete = 0
    for number, line in enumerate(text.split("\n")):
        count = sum(needle in line for needle in needles)
        if count:
            counts.append((-count, number))
            complete += count == len(needles)
            if complete == MAX_MATCHES:
                break
    return [number for _, number in sorted(counts)[:MAX_MATCHES]]


def _original_lines(places: Mapping[int, Sequence[tuple[Field, int]]]) -> dict[tuple[int, Field], list[str]]:
    """Return the original lines of the quoted fields; summaries and notes may be long."""
    asked = {
        field: [recording_id for recording_id, chosen in places.items() if field in dict(chosen)]
        for field in Field
        if field is not Field.TRANSCRIPT
    }
    wanted = sorted({recording_id for ids in asked.values() for recording_id in ids})
    if not wanted:
        return {}
    rows = db.session.connection().execute(
        select(_R.id, *(_R[field.value] for field in asked)).where(_R.id.in_(wanted))
    )
    found = {row.id: row for row in rows}
    return {
        (recording_id, field): lines_of(getattr(found.get(recording_id), field, ""))
        for field, ids in asked.items()
        for recording_id in ids
    }


def _quoted_segments(places: Mapping[int, Sequence[tuple[Field, int]]]) -> dict[tuple[int, int], Any]:
    """Return the quoted segments, with speaker names where they are known."""
    positions = {
        recording_id: [line for field, line in chosen if field is Field.TRANSCRIPT]
        for recording_id, chosen in places.items()
    }
    wanted = [
        and_(_S.recording_id == recording_id, _S.position.in_(lines))
        for recording_id, lines in positions.items()
        if lines
    ]
    if not wanted:
        return {}
    rows = db.session.connection().execute(
        select(
            _S.recording_id,
            _S.position,
            _S.id,
            _S.start,
            _S.end,
            _S.text,
            func.coalesce(_NAMED.name, _S.speaker).label("speaker"),
        )
        .select_from(
            Segment.__table__.outerjoin(
                RecordingSpeaker.__table__,
                and_(_NAMED.recording_id == _S.recording_id, _NAMED.label == _S.speaker),
            )
        )
        .where(or_(*wanted))
    )
    return {(row.recording_id, row.position): row for row in rows}
