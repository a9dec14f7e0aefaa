"""Schemas of lists of small objects, which have up to a thousand items per page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from speakr.api.schemas.common import PaginationOut
from speakr.api.schemas.fields import bounded
from speakr.domain.paging import MAX_ITEMS
from speakr.web.wire import Wire

_BIGGEST_NUMBER = 1_000_000

TOTAL_COUNT: Mapping[str, Any] = {
    "X-Total-Count": {"description": "Items of the whole list.", "schema": {"type": "integer"}},
    "Link": {"description": "First, previous, next and last page (RFC 8288).", "schema": {"type": "string"}},
}
"""Headers of a list that is a bare array."""


class PageQuery(Wire):
    """Which page."""

    page = fields.Integer(load_default=1, validate=validate.Range(min=1, max=_BIGGEST_NUMBER))
    per_page = fields.Integer(
        load_default=MAX_ITEMS,
        validate=validate.Range(min=1, max=_BIGGEST_NUMBER),
        metadata={"description": f"Items per page; values above {MAX_ITEMS} count as {MAX_ITEMS}."},
    )


class PagedOut(Wire):
    """A page of a list."""

    pagination = fields.Nested(PaginationOut, required=True)


def page_of(shape: type[Wire]) -> fields.List[Any]:
    """Return the field of a page's items."""
    return bounded(shape, MAX_ITEMS)
