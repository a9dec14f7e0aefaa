"""Find the matches in a recording: search its normalised lines, quote the original ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, or_, select

from speakr.db import db
from speakr.domain.quotes import quote
from speakr.domain.search import Field, Term, lines_of
from speakr.models import Recording, RecordingSpeaker, SearchDocument, Segment
from speakr.offload import run_cpu

MAX_MATCHES = 5
"""Matches per recording in a response."""

_STREAMED = {"yield_per": 5}
"""Few recordings' texts are in memory together."""

_MAX_PLACES = 200

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
    ids = [row.id for row in rows]

    def choose(documents: Sequence[Any]) -> dict[int, list[tuple[Field, int]]]:
        return {
            document.recording_id: _places(
                document,
                wanted,
                [field for field in fields if field is not Field.NOTES or document.recording_id in own],
            )
            for document in documents
        }

    places: dict[int, list[tuple[Field, int]]] = {}
    for documents in _documents(ids):
        places |= run_cpu(lambda documents=documents: choose(documents))  # type: ignore[misc] # the default binds it
    written = _written_lines(places)
    spoken = _spoken(places)
    return run_cpu(lambda: _quoted(ids, places, written, spoken, wanted))


def _quoted(
    recording_ids: Sequence[int],
    places: Mapping[int, Sequence[tuple[Field, int]]],
    written: Mapping[tuple[int, Field, int], str],
    spoken: Mapping[tuple[int, int], Any],
    terms: Sequence[Term],
) -> dict[int, list[Match]]:
    found: dict[int, list[Match]] = {recording_id: [] for recording_id in recording_ids}
    for recording_id, chosen in places.items():
        for field, line in chosen:
            if field is not Field.TRANSCRIPT:
                text = written.get((recording_id, field, line))
                if text is not None:  # else it was changed between the queries
                    found[recording_id].append(Match(field, quote(text, terms)))
            elif segment := spoken.get((recording_id, line)):
                found[recording_id].append(
                    Match(
                        field,
                        quote(segment.text, terms),
                        segment.id,
                        segment.start,
                        segment.end,
                        segment.speaker,
                    )
                )
    return found


def _documents(recording_ids: Sequence[int]) -> Iterator[Sequence[Any]]:
    """Yield the texts of recordings, few at a time: one may be millions of characters long."""
    if recording_ids:
        query = select(*_D).where(_D.recording_id.in_(recording_ids))
        yield from db.session.connection().execute(query, execution_options=_STREAMED).partitions()


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
    """Return the lines with the most of the terms, the first of them first.

    Of a term with more than `_MAX_PLACES` places, only the first count: the work does not grow with the text.
    """
    counts = Counter(start for term in terms for start in _line_starts(text, term.needle))
    best = sorted(counts, key=lambda start: (-counts[start], start))[:MAX_MATCHES]
    return [text.count("\n", 0, start) for start in best]


def _line_starts(text: str, needle: str) -> AbstractSet[int]:
    """Return where the lines begin that hold a needle, which lies within one line."""
    found: set[int] = set()
    at = text.find(needle)
    for _ in range(_MAX_PLACES):
        if at < 0:
            break
        found.add(text.rfind("\n", 0, at) + 1)
        next_line = text.find("\n", at)
        at = -1 if next_line < 0 else text.find(needle, next_line)
    return found


def _written_lines(
    places: Mapping[int, Sequence[tuple[Field, int]]],
) -> dict[tuple[int, Field, int], str]:
    """Return the lines that are quoted, as they were written; summaries and notes may be long."""
    wanted = {
        recording_id: [(field, line) for field, line in chosen if field is not Field.TRANSCRIPT]
        for recording_id, chosen in places.items()
    }
    ids = [recording_id for recording_id, chosen in wanted.items() if chosen]
    if not ids:
        return {}
    fields = {field for chosen in wanted.values() for field, _ in chosen}
    query = select(_R.id, *(_R[field.value] for field in Field if field in fields)).where(_R.id.in_(ids))

    def cut(rows: Sequence[Any]) -> dict[tuple[int, Field, int], str]:
        found: dict[tuple[int, Field, int], str] = {}
        for row in rows:
            lines = {field: lines_of(getattr(row, field.value)) for field in dict(wanted[row.id])}
            found |= {
                (row.id, field, line): lines[field][line]
                for field, line in wanted[row.id]
                if line < len(lines[field])
            }
        return found

    found: dict[tuple[int, Field, int], str] = {}
    for rows in db.session.connection().execute(query, execution_options=_STREAMED).partitions():
        found |= run_cpu(lambda rows=rows: cut(rows))  # type: ignore[misc] # the default binds it
    return found


def _spoken(places: Mapping[int, Sequence[tuple[Field, int]]]) -> dict[tuple[int, int], Any]:
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
