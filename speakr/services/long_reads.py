"""Read many rows without stopping the other requests of the process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Executable

from speakr.db import db
from speakr.offload import pause

ROWS_AT_ONCE = 1_000
"""Rows that are read between two pauses. A thousand segments with their words take about 20 ms."""


def all_rows(statement: Executable, values: Mapping[str, Any] | None = None) -> list[Any]:
    """Return all rows of one statement, as they are when it starts."""
    result = db.session.connection().execute(statement, values or {})
    rows: list[Any] = []
    for part in result.partitions(ROWS_AT_ONCE):
        rows += part
        if len(part) == ROWS_AT_ONCE:
            pause()
    return rows
