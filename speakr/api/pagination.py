"""Pages: the `pagination` object in the body, and `Link` headers for those who follow them (RFC 8288)."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import urlencode

from flask import request

from speakr.backends import get_backends


def describe_cursor(per_page: int, total: int, following: str | None) -> dict[str, Any]:
    """Return the `pagination` object of a page that was found by a cursor, which has no number."""
    return {
        "page": None,
        "per_page": per_page,
        "total": total,
        "total_pages": math.ceil(total / per_page),
        "has_next": following is not None,
        "has_prev": True,
        "next_cursor": following,
    }


def describe(page: int, per_page: int, total: int) -> dict[str, Any]:
    """Return the `pagination` object."""
    pages = math.ceil(total / per_page)
    return {
        "page": page,
        "per_page": per_page,
        "total": total,
        "total_pages": pages,
        "has_next": page < pages,
        "has_prev": page > 1,
    }


def base_url() -> str:
    """Return the address under which the caller reaches us, without a final slash."""
    return (get_backends().settings.public_url or request.url_root).rstrip("/")


def link_header(page: int, per_page: int, total: int) -> str:
    """Return the `Link` header's value: first, prev, next, last as far as they exist."""
    last = max(1, math.ceil(total / per_page))
    wanted = {
        "first": 1,
        "prev": page - 1 if page > 1 else None,
        "next": page + 1 if page < last else None,
        "last": last,
    }
    return ", ".join(
        f'<{_url(page=number)}>; rel="{relation}"'
        for relation, number in wanted.items()
        if number is not None
    )


def link_to_next(following: str | None) -> str:
    """Return the `Link` header's value for those who follow cursors: first, and next if there is more."""
    links = [f'<{_url()}>; rel="first"']
    if following is not None:
        links.append(f'<{_url(cursor=following)}>; rel="next"')
    return ", ".join(links)


def _url(**place: int | str) -> str:
    # The token must not travel into links that end up in logs.
    kept = [
        (name, value)
        for name, value in request.args.items(multi=True)
        if name not in {"page", "cursor", "token"}
    ]
    query = urlencode([*kept, *place.items()])
    return f"{base_url()}{request.path}" + (f"?{query}" if query else "")
