"""Search by meaning, alone or combined with search by words.

Every passage has some similarity to a question. The search therefore takes a fixed number of nearest passages and
ranks their recordings by the best one. In combined mode, results are fused by rank alone, because the scores of the
two searches are not comparable.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from speakr.domain import search as questions
from speakr.domain.errors import EmbeddingModelUnavailable, Invalid
from speakr.domain.fusion import fuse
from speakr.domain.permissions import Actor
from speakr.domain.quotes import quote
from speakr.domain.search import Field, Mode, Term
from speakr.services.recordings import listing
from speakr.services.search import by_words as search
from speakr.services.search import matching, nearest_passages
from speakr.services.search.matching import MAX_MATCHES, Match

NEAREST = 300
"""Number of passages that a search by meaning considers."""


def find(
    actor: Actor,
    question: str,
    filters: listing.Filters,
    *,
    mode: Mode,
    field: Field | None,
    page: int,
    per_page: int,
) -> tuple[search.SearchPage, Mode]:
    """Return a page of the recordings found, best first, and the mode that was used.

    If the model is unavailable, `HYBRID` falls back to `WORDS`.
    """
    nearest_passages.require()
    if field not in {None, Field.TRANSCRIPT}:
        raise Invalid(
            "Only transcripts are searched by meaning.",
            errors={"field": [f"must be transcript with mode={mode}"]},
        )
    if mode is Mode.MEANING:
        questions.require(question)
        terms: Sequence[Term] = ()
    else:
        terms = questions.parse(question)
    try:
        vector = nearest_passages.vector_of(question)
    except EmbeddingModelUnavailable:
        if mode is Mode.MEANING:
            raise
        found = search.search(actor, terms, filters, field=field, page=page, per_page=per_page)
        return found, Mode.WORDS
    nearest = nearest_passages.nearest(actor, vector, filters, NEAREST)
    fields = tuple(Field) if field is None else (field,)
    hits = search.newest(actor, terms, filters, fields, limit=search.COUNTED + 1) if terms else ()
    near: dict[int, list[int]] = defaultdict(list)
    for passage in nearest:
        near[passage.recording_id].append(passage.position)
    ranked = fuse(list(near), hits[: search.COUNTED])
    first = (page - 1) * per_page
    rows = listing.items(ranked[first : first + per_page])
    matches = _matches(rows, actor, terms, fields, near) if rows else {}
    return (
        search.SearchPage(
            rows=rows,
            **search.marks_of(actor, rows),
            matches=matches,
            total=len(ranked),
            is_total_exact=len(hits) <= search.COUNTED,
            has_next=first + per_page < len(ranked),
        ),
        mode,
    )


def _matches(
    rows: Sequence[Any],
    actor: Actor,
    terms: Sequence[Term],
    fields: Sequence[Field],
    near: Mapping[int, Sequence[int]],
) -> dict[int, list[Match]]:
    """Return the matches per recording: by words, followed by the nearest passages that begin at another segment."""
    ids = [row.id for row in rows]
    own = [row.id for row in rows if row.user_id == actor.user_id]
    by_words = matching.of(rows, own, terms, fields) if terms else {}
    places = [(number, position) for number in ids for position in near.get(number, ())[:MAX_MATCHES]]
    lines_at = nearest_passages.lines_of(places)
    found = {number: list(by_words.get(number, ())) for number in ids}
    for place in places:
        matches, lines = found[place[0]], lines_at.get(place)
        if (
            lines
            and len(matches) < MAX_MATCHES
            and lines[0].segment_id not in {m.segment_id for m in matches}
        ):
            matches.append(_match(lines, terms))
    return found


def _match(lines: Sequence[nearest_passages.IndexedLine], terms: Sequence[Term]) -> Match:
    text = " ".join(" ".join(line.text for line in lines).split())
    wanted = [term for term in terms if not term.is_excluded]
    first, last = lines[0], lines[-1]
    return Match(
        Field.TRANSCRIPT, quote(text, wanted), first.segment_id, first.start, last.end, first.speaker
    )
