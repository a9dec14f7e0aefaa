"""Read and compute long transcripts without stopping the other requests of the process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from sqlalchemy import Executable, func, select

from speakr.db import db, is_writing, release
from speakr.models import Segment
from speakr.offload import large_work, pause

ROWS_AT_ONCE = 500
"""Rows that are read between two pauses. A thousand segments with their words take about 20 ms."""

LARGE_SEGMENTS, LARGE_TEXT = 5_000, 200_000
"""Segments of a transcript, and characters of a request, from which work counts as large."""


def all_rows(
    statement: Executable,
    values: Mapping[str, Any] | None = None,
    *,
    make: Callable[[Any], Any] | None = None,
) -> list[Any]:
    """Return all rows of one statement, as they are when it starts, or what `make` makes of each."""
    result = db.session.connection().execute(statement, values or {})
    rows: list[Any] = []
    for part in result.partitions(ROWS_AT_ONCE):
        rows += part if make is None else [make(row) for row in part]
        if len(part) == ROWS_AT_ONCE:
            pause()
    return rows


def whole_transcript(recording_id: int, size: int = 0) -> AbstractContextManager[None]:
    """Return the context in which a request works on a whole transcript; `size` is its own number of characters.

    Large work waits for its turn, except in an open unit of work: its locks must not wait for another request's.
    Checks no permission.
    """
    if is_writing():
        return nullcontext()
    last = db.session.scalar(select(func.max(Segment.position)).where(Segment.recording_id == recording_id))
    is_large = size > LARGE_TEXT or (last or 0) >= LARGE_SEGMENTS
    if is_large:
        release()  # the connection, while it waits
    return large_work(is_large=is_large)
