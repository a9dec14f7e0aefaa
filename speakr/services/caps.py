"""Refuse what would exceed a cap of `domain/caps.py`.

Counting locks nothing: concurrent requests can exceed a cap by as many as run at once. Services that hold a lock on
the owner do not exceed it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, func, select

from speakr.db import db
from speakr.domain.caps import CAPS, Noun
from speakr.domain.errors import Conflict


def has_room(noun: Noun, present: Select[Any], more: int = 1) -> bool:
    """Tell whether `more` rows fit beside those that a query finds. The query reads no further than the cap."""
    limited = present.limit(CAPS[noun] + 1).subquery()
    return (db.session.scalar(select(func.count()).select_from(limited)) or 0) + more <= CAPS[noun]


def require_room(noun: Noun, present: Select[Any], more: int = 1) -> None:
    """Refuse to add `more` rows to those that a query finds if they would exceed the cap.

    Raises:
        Conflict: `cap_reached`, with `noun` and `limit`.

    """
    if not has_room(noun, present, more):
        raise reached(noun)


def reached(noun: Noun) -> Conflict:
    """Return the refusal of one thing too many."""
    return Conflict(
        f"The limit of {CAPS[noun]:,} {noun} is reached. Delete some first.",
        code="cap_reached",
        noun=noun.value,
        limit=CAPS[noun],
    )
