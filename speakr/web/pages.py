"""Pages of lists: the `pagination` object in the body, and `Link` headers (RFC 8288)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from speakr.backends import get_backends
from speakr.domain.errors import NotFound
from speakr.domain.paging import MAX_ITEMS, Part, Window
from speakr.services.search.numbered_pages import NumberedPage
from speakr.web.json import json_response
from speakr.web.numbers import whole_number

_NOT_IN_LINKS = frozenset({"page", "cursor", "token", "signature"})
"""Query parameters that a link to another page omits: its position, and secrets that must not get into logs."""


_MAX_PAGE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The position of a page in its list; `total` counts the whole list."""

    page: int
    """Counted from 1; meaningless when a cursor was used."""
    per_page: int
    total: int

    def describe(self) -> dict[str, Any]:
        """Return the `pagination` object."""
        pages = math.ceil(self.total / self.per_page)
        return {
            "page": self.page,
            "per_page": self.per_page,
            "total": self.total,
            "total_pages": pages,
            "has_next": self.page < pages,
            "has_prev": self.page > 1,
        }

    def links(self) -> str:
        """Return the `Link` header: first, prev, next and last, as far as they exist."""
        last = max(1, math.ceil(self.total / self.per_page))
        numbers = {
            "first": 1,
            "prev": self.page - 1 if self.page > 1 else None,
            "next": self.page + 1 if self.page < last else None,
            "last": last,
        }
        return ", ".join(
            f'<{_url(page=number)}>; rel="{relation}"'
            for relation, number in numbers.items()
            if number is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CursorPlace(Place):
    """The position of a page in a list that also has cursors."""

    cursor: str | None
    """The cursor of this page; None: it was found by its number."""
    next_cursor: str | None

    def describe(self) -> dict[str, Any]:
        """Return the `pagination` object; a page found by a cursor has no number."""
        if self.cursor is None:
            return Place.describe(self) | {"next_cursor": self.next_cursor}
        return {
            "page": None,
            "per_page": self.per_page,
            "total": self.total,
            "total_pages": math.ceil(self.total / self.per_page),
            "has_next": self.next_cursor is not None,
            "has_prev": True,
            "next_cursor": self.next_cursor,
        }

    def links(self) -> str:
        """Return the `Link` header; with a cursor: first, and next if there is more."""
        if self.cursor is None:
            return Place.links(self)
        links = [f'<{_url()}>; rel="first"']
        if self.next_cursor is not None:
            links.append(f'<{_url(cursor=self.next_cursor)}>; rel="next"')
        return ", ".join(links)


def page_response(shown: Mapping[str, Any], place: Place) -> Response:
    """Return a response with the items of a page under their name, its position, and links to other pages."""
    response = json_response({**shown, "pagination": place.describe()})
    response.headers["Link"] = place.links()
    return response


def window_of(query: Mapping[str, int]) -> Window:
    """Return the window that the arguments `page` and `per_page` of a list of small objects select."""
    size = min(query["per_page"], MAX_ITEMS)
    return Window((query["page"] - 1) * size, size)


def paged(name: str, part: Part[Any], query: Mapping[str, int]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Return body, status and headers of a page whose items are called `name`; the view's schema dumps the body."""
    place = _place_of(part, query)
    return {name: part.items, "pagination": place.describe()}, 200, {"Link": place.links()}


def bare_page(part: Part[Any], query: Mapping[str, int]) -> tuple[Sequence[Any], int, dict[str, str]]:
    """Return a page as `paged` does, but as a bare array: `X-Total-Count` has the number of items in the list."""
    place = _place_of(part, query)
    return part.items, 200, {"Link": place.links(), "X-Total-Count": str(part.total)}


def counted_page(found: NumberedPage, page: int, per_page: int, show: Callable[[Any], Any]) -> dict[str, Any]:
    """Return a page as Django REST framework does: `count`, `next` and `previous` (addresses or null), `results`.

    Raises:
        NotFound: the list has no such page; an empty list has a first one.

    """
    if page > 1 and not found.rows:
        raise no_page()
    return {
        "count": found.total,
        "next": _url(page=page + 1) if page * per_page < found.total else None,
        "previous": _url(page=page - 1) if page > 1 else None,
        "results": [show(row) for row in found.rows],
    }


def page_number(text: str) -> int:
    """Return the number of a page, counted from 1. Raises `NotFound` if it cannot be one."""
    page = whole_number(text)
    if not 0 < page <= _MAX_PAGE:
        raise no_page()
    return page


def no_page() -> NotFound:
    """Return the error for a page that a list does not have."""
    return NotFound("Invalid page.")


def _place_of(part: Part[Any], query: Mapping[str, int]) -> Place:
    return Place(page=query["page"], per_page=window_of(query).limit, total=part.total)


def base_url() -> str:
    """Return the address under which the caller reaches this server, without a final slash."""
    return (get_backends().settings.public_url or request.url_root).rstrip("/")


def _url(**place: int | str) -> str:
    kept = [(name, value) for name, value in request.args.items(multi=True) if name not in _NOT_IN_LINKS]
    query = urlencode([*kept, *place.items()])
    return f"{base_url()}{request.path}" + (f"?{query}" if query else "")
