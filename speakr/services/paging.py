"""Read a part of a query, and count the rest only if there is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, select

from speakr.db import db
from speakr.domain.paging import Part, Window


def rows(query: Select[*tuple[Any, ...]], window: Window | None) -> Part[Any]:
    """Return the rows of a query that a window shows; without a window, all."""
    return _part(query, window, db.session.execute(_cut(query, window)).all())


def objects(query: Select[Any], window: Window | None) -> Part[Any]:
    """Return the mapped objects of a query that a window shows; without a window, all."""
    return _part(query, window, db.session.scalars(_cut(query, window)).all())


def _cut(query: Select[*tuple[Any, ...]], window: Window | None) -> Select[*tuple[Any, ...]]:
    return query if window is None else query.offset(window.offset).limit(window.limit)


def _part(query: Select[*tuple[Any, ...]], window: Window | None, found: Sequence[Any]) -> Part[Any]:
    if window is None:
        return Part(found, len(found))
    is_end = len(found) < window.limit and (found or not window.offset)
    return Part(found, window.offset + len(found) if is_end else _count(query))


def _count(query: Select[*tuple[Any, ...]]) -> int:
    counted = query.order_by(None).with_only_columns(1, maintain_column_froms=True).subquery()
    return db.session.scalar(select(func.count()).select_from(counted)) or 0
