"""Search recordings by the words of their texts.

Results are sorted newest first: SQLite reads its lists of recordings from the end and stops when it has enough, however
common the words are. Access is part of the query. There are two queries, for the actor's own recordings and for
those of other users, because they search different fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    cast,
    column,
    exists,
    false,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from speakr.db import db
from speakr.domain.permissions import Actor
from speakr.domain.search import EVERYBODYS, Field, Term, key_of, key_of_owner
from speakr.models import Recording, SearchDocument, SearchTerms
from speakr.models.search import SQLITE_INDEX
from speakr.services.recordings import access, listing
from speakr.services.search import matching

COUNTED = 1000
"""Results that are counted exactly; above this, a page only reports that there are more."""


@dataclass(frozen=True, slots=True)
class SearchPage:
    """One page of results: rows of `listing.items`, their tags and folders, and the matches in them."""

    rows: Sequence[Any]
    tags: Mapping[int, Sequence[Any]]
    folders: Mapping[int, str]
    matches: Mapping[int, Sequence[matching.Match]]
    total: int
    is_total_exact: bool
    has_next: bool


def search(
    actor: Actor,
    terms: Sequence[Term],
    filters: listing.Filters,
    *,
    field: Field | None,
    page: int,
    per_page: int,
) -> SearchPage:
    """Return a page of the recordings that an actor may see and that contain all terms, newest first."""
    fields = tuple(Field) if field is None else (field,)
    offset = (page - 1) * per_page
    first = newest(actor, terms, filters, fields, limit=COUNTED + 1)
    total, is_exact = min(len(first), COUNTED), len(first) <= COUNTED
    if is_exact or offset + per_page <= COUNTED:
        found = first[offset : offset + per_page + 1]
    else:
        found = newest(actor, terms, filters, fields, limit=per_page + 1, offset=offset)
    rows = listing.items(found[:per_page])
    own = [row.id for row in rows if row.user_id == actor.user_id]
    return SearchPage(
        rows=rows,
        **marks_of(actor, rows),
        matches=matching.of(rows, own, terms, fields),
        total=total,
        is_total_exact=is_exact,
        has_next=len(found) > per_page,
    )


def marks_of(actor: Actor, rows: Sequence[Any]) -> dict[str, Any]:
    """Return the tags and folders of a page; recordings of other users show none."""
    own = [row.id for row in rows if row.user_id == actor.user_id]
    return {"tags": listing.tags_of(own), "folders": listing.folder_names(rows)}


def newest(
    actor: Actor,
    terms: Sequence[Term],
    filters: listing.Filters,
    fields: Sequence[Field],
    *,
    limit: int,
    offset: int = 0,
) -> Sequence[int]:
    """Return the ids of the newest recordings found: the actor's own and those shared with them."""
    if all(term.is_excluded for term in terms):
        return ()
    most = limit + offset
    own = _newest(*_own(actor, terms, filters, fields), terms, fields, most)
    # Recordings of other users count only if newer than the oldest own result, where the search may stop.
    oldest = own[-1] if len(own) == most else 0
    shown = tuple(field for field in fields if field in EVERYBODYS)
    others: Sequence[int] = ()
    if shown and not listing.asks_for_marks(filters):
        found = _others(actor, terms, filters, shown, newer_than=oldest)
        others = _newest(*found, terms, shown, most)
    return sorted([*own, *others], reverse=True)[offset:most]


def _newest(
    hits: _Hits, query: Select[Any], terms: Sequence[Term], fields: Sequence[Field], most: int
) -> Sequence[int]:
    """Return the newest recordings found that also contain the terms that the index cannot check exactly."""
    query = query.order_by(hits.id.desc())
    if not all(term.is_exact for term in terms):
        query = _checked(*_engine().in_order(hits, query), terms, fields)
    return db.session.connection().execute(query.limit(most)).scalars().all()


def own_ids(actor: Actor, terms: Sequence[Term], fields: Sequence[Field]) -> Select[Any]:
    """Return a query for the ids of the actor's own recordings that contain all terms, in no order."""
    if all(term.is_excluded for term in terms):
        return select(Recording.id).where(false())
    hits, query = _own(actor, terms, listing.Filters(), fields)
    is_exact = all(term.is_exact for term in terms)
    return query if is_exact else _checked(query, hits.joined_id, terms, fields)


def _checked(
    query: Select[Any], read_id: ColumnElement[int], terms: Sequence[Term], fields: Sequence[Field]
) -> Select[Any]:
    """Look into the texts for the terms that the index cannot check exactly."""
    engine = _engine()
    query = query.join(SearchDocument, SearchDocument.recording_id == read_id)
    for term in terms:
        if not term.is_exact:
            is_there = or_(
                *(engine.contains(getattr(SearchDocument, field), term.needle) for field in fields)
            )
            query = query.where(not_(is_there) if term.is_excluded else is_there)
    return query


def _own(
    actor: Actor, terms: Sequence[Term], filters: listing.Filters, fields: Sequence[Field]
) -> tuple[_Hits, Select[Any]]:
    narrowing = listing.narrowing(actor, filters)
    is_filed = filters.tag_id is not None or filters.tag_name is not None or isinstance(filters.folder, int)
    hits = _engine().hits(terms, fields, actor.user_id)
    query = _narrowed(hits, () if is_filed else narrowing)
    if is_filed:
        # Few recordings, and an index finds them; otherwise each match would be looked up.
        filed = select(Recording.id).where(Recording.user_id == actor.user_id, *narrowing)
        query = query.where(hits.unhinted_id.in_(filed))
    return hits, query.where(hits.user_id == actor.user_id)


def _others(
    actor: Actor,
    terms: Sequence[Term],
    filters: listing.Filters,
    fields: Sequence[Field],
    *,
    newer_than: int,
) -> tuple[_Hits, Select[Any]]:
    shared = access.ids_shown_to(actor)
    hits = _engine().hits(terms, fields, None)
    query = _narrowed(hits, listing.narrowing_of_others(filters))
    return hits, query.where(
        hits.user_id != actor.user_id,
        hits.id > newer_than,
        exists(shared),  # evaluated once, before the search: most users have no shared recordings
        hits.unhinted_id.in_(shared),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hits:
    """A query for the rows found in the index, and its columns."""

    query: Select[Any]
    id: ColumnElement[int]
    joined_id: ColumnElement[int]
    """The id to join the rows of other tables with."""
    unhinted_id: ColumnElement[int]
    """The id in a form that the planner does not use for lookups row by row."""
    user_id: ColumnElement[int]


def _narrowed(hits: _Hits, narrowing: Sequence[ColumnElement[bool]]) -> Select[Any]:
    """Return the query restricted by conditions on the recordings."""
    if not narrowing:
        return hits.query
    return hits.query.join(Recording, Recording.id == hits.joined_id).where(*narrowing)


def _sorted_first(_hits: _Hits, query: Select[Any]) -> tuple[Select[Any], ColumnElement[int]]:
    newest = query.subquery()
    return select(newest.c.recording_id).order_by(newest.c.recording_id.desc()), newest.c.recording_id


@dataclass(frozen=True, slots=True, kw_only=True)
class _Engine:
    """The full-text query syntax of a database. Keys contain no character with a special meaning in either database."""

    ask: Callable[[str, bool], _Hits]
    """Query the index, for the recordings of one owner or of all."""
    in_order: Callable[[_Hits, Select[Any]], tuple[Select[Any], ColumnElement[int]]]
    """Order a query so that it reads texts newest first and stops when it has enough; return it with its id column."""
    contains: Callable[[Any, str], ColumnElement[bool]]
    word: str
    beginning: str
    and_: str
    or_: str
    and_not: str

    def hits(self, terms: Sequence[Term], fields: Sequence[Field], owner: int | None) -> _Hits:
        """Query the recordings with the terms in the fields, of one owner or of all."""
        return self.ask(self._question(terms, fields, owner), owner is not None)

    def _question(self, terms: Sequence[Term], fields: Sequence[Field], owner: int | None) -> str:
        wanted = [self._in_any(term, fields) for term in terms if not term.is_excluded]
        unwanted = [self._in_any(term, fields) for term in terms if term.is_excluded and term.is_exact]
        if owner is not None:
            wanted.insert(0, self.word % key_of_owner(owner))
        question = f"({self.and_.join(wanted)})"
        return f"{question}{self.and_not}({self.or_.join(unwanted)})" if unwanted else question

    def _in_any(self, term: Term, fields: Sequence[Field]) -> str:
        # All words of a phrase must be in the same field.
        return f"({self.or_.join(self._in(term, field) for field in fields)})"

    def _in(self, term: Term, field: Field) -> str:
        keys = (
            (self.beginning if is_beginning else self.word) % key_of(field, key)
            for key, is_beginning in term.keys
        )
        return f"({self.and_.join(keys)})"


def _engine() -> _Engine:
    return _ENGINES[db.engine.dialect.name]


def _ask_sqlite(question: str, _is_of_one: bool) -> _Hits:  # noqa: FBT001 - a callback
    index = table(SQLITE_INDEX, column("rowid"))
    query = (
        select(index.c.rowid)
        .select_from(SearchTerms)
        .where(
            index.c.rowid == SearchTerms.recording_id,
            literal_column(SQLITE_INDEX).op("MATCH", is_comparison=True)(question),
        )
    )
    return _Hits(
        query=query,
        id=index.c.rowid,
        joined_id=SearchTerms.recording_id.expression,
        # The unary plus stops SQLite from querying the index once per id, which is slower than scanning it once.
        unhinted_id=literal_column(f"+{SQLITE_INDEX}.rowid"),
        user_id=SearchTerms.user_id.expression,
    )


def _ask_postgresql(question: str, is_of_one: bool) -> _Hits:  # noqa: FBT001 - a callback
    found: Any = SearchTerms
    is_hit = func.search_lexemes(SearchTerms.terms).op("@@", is_comparison=True)(
        cast(literal(question), TSQUERY)
    )
    query = select(SearchTerms.recording_id).where(is_hit)
    if not is_of_one:
        # Run this query first and alone: combined with other conditions, the planner may read the words of each
        # recording that meets them, which takes a millisecond each.
        hits = select(SearchTerms.recording_id, SearchTerms.user_id).where(is_hit).cte("hits")
        found = hits.prefix_with("MATERIALIZED").c
        query = select(found.recording_id)
    return _Hits(
        query=query,
        id=found.recording_id,
        joined_id=found.recording_id,
        unhinted_id=found.recording_id,
        user_id=found.user_id,
    )


_ENGINES: Mapping[str, _Engine] = {
    "sqlite": _Engine(
        ask=_ask_sqlite,
        in_order=lambda hits, query: (query, hits.joined_id),
        contains=lambda text, needle: func.instr(text, needle) > 0,
        word='"%s"',
        beginning='"%s"*',
        and_=" AND ",
        or_=" OR ",
        and_not=" NOT ",
    ),
    "postgresql": _Engine(
        ask=_ask_postgresql,
        in_order=_sorted_first,
        contains=lambda text, needle: func.strpos(text, needle) > 0,
        word="'%s'",
        beginning="'%s':*",
        and_=" & ",
        or_=" | ",
        and_not=" & !",
    ),
}
