"""Numbered pages of a user's own recordings: with words to find, and several columns to sort by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select

from speakr.db import db
from speakr.domain.permissions import Actor
from speakr.domain.search import Field, Term
from speakr.models import Recording
from speakr.services.recordings import listing
from speakr.services.search import by_words

MAX_SORTS = 8
"""Keys of one order."""


@dataclass(frozen=True, slots=True)
class Sort:
    """One key of the order: a name in `listing.SORT_COLUMNS`."""

    column: str
    descending: bool = False


def order_of(text: str, columns: Mapping[str, str], *, otherwise: Sort) -> list[Sort]:
    """Return the order that a comma-separated list of names asks for; `-` before a name means descending.

    columns: sort columns by the names that clients use. Other names are ignored; without a known one, the order is
    `otherwise`.
    """
    names = [each.strip() for each in text.split(",")][:MAX_SORTS]
    known = {name.removeprefix("-"): name.startswith("-") for name in names}
    found = [Sort(columns[name], is_down) for name, is_down in known.items() if name in columns]
    return found or [otherwise]


@dataclass(frozen=True, slots=True)
class NumberedPage:
    """Rows of `listing.ITEM_COLUMNS`, their tags by recording id, and the length of the whole list."""

    rows: Sequence[Any]
    tags: Mapping[int, Sequence[Any]]
    total: int


def page_of(
    actor: Actor,
    filters: listing.Filters,
    order: Sequence[Sort],
    *,
    terms: Sequence[Term] | None,
    page: int,
    per_page: int,
) -> NumberedPage:
    """Return one page of the actor's own recordings; `terms` must occur in the title or in the transcript.

    page: from 1. A page behind the last one is empty.
    """
    conditions = [Recording.user_id == actor.user_id, *listing.narrowing(actor, filters)]
    if terms is not None:
        conditions.append(Recording.id.in_(by_words.own_ids(actor, terms, (Field.TITLE, Field.TRANSCRIPT))))
    total = db.session.scalar(select(func.count()).select_from(Recording).where(*conditions)) or 0
    skipped = (page - 1) * per_page
    if skipped >= total:
        return NumberedPage([], {}, total)
    keys = _keys(order)
    # Ids first: rows are wide, and those that are only sorted or skipped need not be read.
    ids = select(Recording.id).where(*conditions).order_by(*keys).limit(per_page).offset(skipped).subquery()
    query = select(*listing.ITEM_COLUMNS).join_from(ids, Recording, Recording.id == ids.c.id).order_by(*keys)
    rows = db.session.connection().execute(query).all()
    return NumberedPage(rows, listing.tags_of([row.id for row in rows]), total)


def _keys(order: Sequence[Sort]) -> list[ColumnElement[Any]]:
    """Return the order, which ends in a unique key. Recordings without a value come last."""
    keys: list[ColumnElement[Any]] = []
    for each in order:
        column = listing.SORT_COLUMNS[each.column]
        key = column.desc() if each.descending else column.asc()
        is_nullable = column.property.columns[0].nullable
        keys.append(key.nulls_last() if is_nullable else key)
    is_descending = bool(order) and order[-1].descending
    return [*keys, Recording.id.desc() if is_descending else Recording.id.asc()]
