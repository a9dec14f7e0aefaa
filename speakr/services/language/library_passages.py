"""Find the passages of a library that match a question: by words, and by meaning if an embedding model is configured.

By words, a recording ranks higher the more of the question's words its transcript contains and the rarer these are.
Its passages are then ranked like the lines of one recording.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sqlalchemy import and_, func, select

from speakr.connectors.language.function_words import ASKING_WORDS, ENGLISH_FUNCTION_WORDS
from speakr.connectors.language.passages import rank_lines, stem
from speakr.connectors.language.sentences import find_words
from speakr.db import db
from speakr.domain.errors import EmbeddingModelUnavailable
from speakr.domain.fusion import fuse
from speakr.domain.passages import MAX_PASSAGE_LENGTH, Passage, cut
from speakr.domain.permissions import Actor
from speakr.domain.search import Field, Mode, Term
from speakr.domain.words import is_character, words_of
from speakr.models import RecordingSpeaker, Segment
from speakr.offload import run_cpu
from speakr.services.recordings import listing
from speakr.services.search import by_words as search
from speakr.services.search import nearest_passages, passages

MAX_PASSAGES = 12
"""About 1500 words: what a small model can read at once, in addition to the conversation."""
MAX_RECORDINGS = 8
"""Recordings searched by words for passages."""
MAX_TERMS = 8
NEWEST_WITH_A_WORD = 200

_MIN_PREFIX_LENGTH = 4
_S = Segment.__table__.c
_NAMED = RecordingSpeaker.__table__.c

Place = tuple[int, int]
"""A recording's id and the position of a passage in it."""


@dataclass(frozen=True, slots=True)
class Found:
    """Passages as lists of segment rows, grouped by recording, and the search mode that was used."""

    passages: Sequence[Sequence[Any]]
    recordings: Mapping[int, Any]
    mode_used: Mode


def find(actor: Actor, question: str, filters: listing.Filters) -> Found:
    """Return the best passages among the recordings that an actor may see."""
    near: list[nearest_passages.Near] = []
    used = Mode.WORDS
    if passages.is_wanted():
        try:
            vector = nearest_passages.vector_of(question[:MAX_PASSAGE_LENGTH])
        except EmbeddingModelUnavailable:
            pass  # search by words only
        else:
            near, used = nearest_passages.nearest(actor, vector, filters, MAX_PASSAGES), Mode.HYBRID
    matching_ids = _recordings_with(actor, terms_of(question), filters)
    segments = _segments_of(sorted({passage.recording_id for passage in near} | set(matching_ids)))
    chosen = run_cpu(lambda: _choose(question, near, segments))
    found = listing.items(list(dict.fromkeys(number for number, _ in chosen)))
    recordings = {row.id: row for row in found}
    order = list(recordings)
    ordered = sorted(
        (place for place in chosen if place[0] in recordings),
        key=lambda place: (order.index(place[0]), place[1]),
    )
    return Found([_rows(segments[number], chosen[number, at]) for number, at in ordered], recordings, used)


def terms_of(question: str) -> list[Term]:
    """Return the search terms of a question: its content words, the longest first, at most `MAX_TERMS`."""
    words = words_of(question)
    terms: dict[Term, None] = {}
    for word, following in pairwise([*words, ""]):
        if is_character(word):
            if is_character(following):
                terms[Term((word, following))] = None
        elif len(word) > 1 and word not in ENGLISH_FUNCTION_WORDS and word not in ASKING_WORDS:
            stemmed = stem(word)
            terms[Term((stemmed,), is_prefix=len(stemmed) >= _MIN_PREFIX_LENGTH)] = None
    return sorted(terms, key=lambda term: -len(term.needle))[:MAX_TERMS]


def _recordings_with(actor: Actor, terms: Sequence[Term], filters: listing.Filters) -> list[int]:
    scores: dict[int, float] = defaultdict(float)
    for term in terms:
        ids = search.newest(actor, [term], filters, (Field.TRANSCRIPT,), limit=NEWEST_WITH_A_WORD)
        for number in ids:
            scores[number] += math.log(1.0 + NEWEST_WITH_A_WORD / len(ids))
    return sorted(scores, key=lambda number: (-scores[number], -number))[:MAX_RECORDINGS]


def _segments_of(recording_ids: Sequence[int]) -> Mapping[int, list[Any]]:
    """Return the segments of recordings by recording id, with speaker names where they are known."""
    found: dict[int, list[Any]] = {number: [] for number in recording_ids}
    if recording_ids:
        for row in db.session.connection().execute(
            select(
                _S.recording_id,
                _S.id,
                _S.position,
                _S.start,
                _S.end,
                func.coalesce(_NAMED.name, _S.speaker).label("speaker"),
                _S.text,
            )
            .select_from(
                Segment.__table__.outerjoin(
                    RecordingSpeaker.__table__,
                    and_(_NAMED.recording_id == _S.recording_id, _NAMED.label == _S.speaker),
                )
            )
            .where(_S.recording_id.in_(recording_ids))
            .order_by(_S.recording_id, _S.position)
        ):
            found[row.recording_id].append(row)
    return found


def _choose(
    question: str, near: Sequence[nearest_passages.Near], segments: Mapping[int, Sequence[Any]]
) -> dict[Place, Passage]:
    """Return the best passages, best first."""
    found = {
        (number, at): passage
        for number, rows in segments.items()
        for at, passage in enumerate(cut(row.text for row in rows))
    }
    places = list(found)
    asked = {stem(word) for word in find_words(question)} - ENGLISH_FUNCTION_WORDS - ASKING_WORDS
    stems = [[stem(word) for word in find_words(passage.text)] for passage in found.values()]
    by_words = [places[at] for at, _ in rank_lines(stems, asked)[:MAX_PASSAGES]]
    by_meaning = [(each.recording_id, each.position) for each in near]
    ranked = [place for place in fuse(by_meaning, by_words) if place in found]
    return {place: found[place] for place in ranked[:MAX_PASSAGES]}


def _rows(rows: Sequence[Any], passage: Passage) -> Sequence[Any]:
    return rows[passage.first : passage.last + 1]
