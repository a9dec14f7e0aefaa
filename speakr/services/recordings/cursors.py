"""Places in a sorted list of recordings, to go on from: nothing is repeated or missed when rows come and go.

A cursor is opaque to clients. It names the sort order and the last row's value and id (keyset pagination), so
page 1,000 costs what page 1 does.
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
    """The last row of the page before."""

    sort_by: str
    descending: bool
    value: Any
    recording_id: int

    def write(self) -> str:
        """Return the text a client sends back."""
        value = self.value.isoformat() if isinstance(self.value, datetime) else self.value
        value = value.value if isinstance(value, enum.Enum) else value
        parts = orjson.dumps([self.sort_by, self.descending, value, self.recording_id])
        return base64.urlsafe_b64encode(parts).decode().rstrip("=")


def read(text: str, column: Any, *, sort_by: str, descending: bool) -> Cursor:
    """Read a cursor that was made for this order.

    Raises:
        Invalid: it is none of ours, or one of another order.

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
            errors={"cursor": ["must be next_cursor of the page before, with the same order"]},
        )
    return Cursor(sort_by, descending, value, recording_id)


def after(cursor: Cursor, column: Any, tie: Any) -> ColumnElement[bool]:
    """Return the condition for all rows behind the cursor's, by the column sorted by and that of the ids."""
    here = literal(cursor.recording_id)
    if not column.property.columns[0].nullable:
        place = tuple_(column, tie)
        last = tuple_(literal(cursor.value, column.type), here)
        return place < last if cursor.descending else place > last
    # Databases differ in where nulls stand: at the small end in SQLite, at the large end in PostgreSQL.
    nulls_come_first = (db.engine.dialect.name == "sqlite") is not cursor.descending
    behind_id = tie < here if cursor.descending else tie > here
    if cursor.value is None:
        rest = and_(column.is_(None), behind_id)
        return or_(rest, column.is_not(None)) if nulls_come_first else rest
    value = literal(cursor.value, column.type)
    behind = column < value if cursor.descending else column > value
    rest = or_(behind, and_(column == value, behind_id))
    return rest if nulls_come_first else or_(rest, column.is_(None))
