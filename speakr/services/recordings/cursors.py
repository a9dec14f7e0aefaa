"""Cursors into a sorted list of recordings: no row is repeated or skipped when other rows are added or deleted.

A cursor is opaque to clients. It has the sort order and the last row's value and id (keyset pagination), so that
page 1000 costs as much as page 1.
"""

from __future__ import annotations

import base64
import binascii
import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, and_, literal, or_, tuple_

from speakr.db import UTCDateTime, db
from speakr.domain.clock import parse_iso
from speakr.domain.errors import Invalid


@dataclass(frozen=True, slots=True)
class Cursor:
    """The position of the last row of the previous page."""

    sort_by: str
    descending: bool
    value: Any
    recording_id: int

    def write(self) -> str:
        """Return the text that a client sends back."""
        value = self.value.isoformat() if isinstance(self.value, datetime) else self.value
        value = value.value if isinstance(value, enum.Enum) else value
        parts = orjson.dumps([self.sort_by, self.descending, value, self.recording_id])
        return base64.urlsafe_b64encode(parts).decode().rstrip("=")


def read(text: str, column: Any, *, sort_by: str, descending: bool) -> Cursor:
    """Read a cursor for this sort order.

    Raises:
        Invalid: the text is not a cursor, or the cursor is for another sort order.

    """
    value = recording_id = None
    try:
        parts = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        made_for, was_descending, value, recording_id = parts
        if value is not None:
            is_time = isinstance(column.type, UTCDateTime)
            value = parse_iso(value) if is_time else column.type.python_type(value)
        is_ours = (made_for, was_descending) == (sort_by, descending) and type(recording_id) is int
    except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error):
        is_ours = False
    if not is_ours or recording_id is None:
        raise Invalid(
            "The cursor does not belong to this list. Start without one.",
            code="cursor_invalid",
            errors={"cursor": ["must be next_cursor of the previous page, with the same order"]},
        )
    return Cursor(sort_by, descending, value, recording_id)


def after(cursor: Cursor, column: Any, tie: Any) -> ColumnElement[bool]:
    """Return the condition for all rows after the cursor, by the sort column and the id column (`tie`)."""
    here = literal(cursor.recording_id)
    if not column.property.columns[0].nullable:
        place = tuple_(column, tie)
        last = tuple_(literal(cursor.value, column.type), here)
        return place < last if cursor.descending else place > last
    # Databases sort nulls differently: SQLite as the smallest values, PostgreSQL as the largest.
    nulls_come_first = (db.engine.dialect.name == "sqlite") is not cursor.descending
    behind_id = tie < here if cursor.descending else tie > here
    if cursor.value is None:
        rest = and_(column.is_(None), behind_id)
        return or_(rest, column.is_not(None)) if nulls_come_first else rest
    value = literal(cursor.value, column.type)
    behind = column < value if cursor.descending else column > value
    rest = or_(behind, and_(column == value, behind_id))
    return rest if nulls_come_first else or_(rest, column.is_(None))
