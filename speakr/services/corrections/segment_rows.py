"""Write a changed transcript to its rows.

`planned` compares two transcripts and prepares all values, outside any transaction. `write` then sends few
statements in batches, so that the transaction is short. Between batches other requests of the process run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
from sqlalchemy import (
    JSON,
    Integer,
    Text,
    bindparam,
    cast,
    column,
    delete,
    func,
    insert,
    literal,
    update,
)
from sqlalchemy.sql.dml import Insert, Update

from speakr.db import db
from speakr.domain.transcript_history import StoredSegment
from speakr.models import Segment
from speakr.offload import pause

Row = TypeVar("Row")

_ROWS_AT_ONCE = 2_000
_MAX_RUNS = 50
"""Runs of rows that move by the same distance, with two statements each; more are moved row by row in batches."""

_TABLE: Any = Segment.__table__
_S = _TABLE.c
_VALUES = ("start", "end", "text", "speaker", "confidence", "overlap", "words")


@dataclass(frozen=True, slots=True)
class RowChanges:
    """What has to be written. Rows are dicts by column; words are JSON text already."""

    removed: Sequence[int]
    """Ids."""
    moved: Sequence[tuple[int, int]]
    """Old and new position of the rows that move, ascending."""
    runs: Sequence[tuple[int, int, int]]
    """The same as first and last position, and distance, of rows in a row that move by the same distance."""
    changed: Sequence[dict[str, Any]]
    """Values of rows that stay, and `row_id`."""
    added: Sequence[dict[str, Any]]
    """Values and `position` of new rows."""
    brought_back: Sequence[dict[str, Any]]
    """The same with an `id` that the rows had before."""


def planned(old: Sequence[StoredSegment], new: Sequence[StoredSegment]) -> RowChanges:
    """Return what turns the rows of `old` into those of `new`. Unchanged segments keep their ids and are not written."""
    places = {segment.id: position for position, segment in enumerate(old)}
    kept = {segment.id for segment in new}
    stayed: list[tuple[int, int]] = []
    changed: list[dict[str, Any]] = []
    added: list[dict[str, Any]] = []
    brought_back: list[dict[str, Any]] = []
    for position, segment in enumerate(new):
        place = places.get(segment.id)
        if place is None:
            row = {"position": position, **_values(segment)}
            if segment.id is None:
                added.append(row)
            else:
                brought_back.append({"id": segment.id, **row})
            continue
        stayed.append((place, position))
        if old[place] is not segment and old[place] != segment:
            changed.append({"row_id": segment.id, **_values(segment)})
    removed = [segment.id for segment in old if segment.id not in kept and segment.id is not None]
    stayed.sort()
    moved = [(before, after) for before, after in stayed if before != after]
    return RowChanges(removed, moved, _runs(stayed), changed, added, brought_back)


def _values(segment: StoredSegment) -> dict[str, Any]:
    return {
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "speaker": segment.speaker,
        "confidence": segment.confidence,
        "overlap": segment.overlap,
        "words": orjson.dumps(segment.words).decode(),
    }


def write(recording_id: int, changes: RowChanges) -> None:
    """Apply changes to the rows of a recording, in the caller's transaction, which has locked it."""
    for ids in _batches(changes.removed):
        db.session.execute(
            delete(Segment).where(Segment.id.in_(ids)), execution_options={"synchronize_session": False}
        )
    _move(recording_id, changes)
    placed = {name: bindparam(f"new_{name}", type_=_S[name].type) for name in _VALUES}
    _send(
        update(_TABLE).where(_S.id == bindparam("row_id", type_=_S.id.type)).values(placed), changes.changed
    )
    for rows, more in ((changes.brought_back, ("id",)), (changes.added, ())):
        names = ("recording_id", "position", *_VALUES, *more)
        values = {name: bindparam(f"new_{name}", type_=_S[name].type) for name in names}
        _send(insert(_TABLE).values(values), rows, recording_id=recording_id)


def _send(statement: Insert | Update, rows: Sequence[dict[str, Any]], **same: Any) -> None:
    """Send a statement for many rows, past the conversion of values: they have the form of the database already."""
    dialect = db.engine.dialect
    compiled = statement.compile(dialect=dialect)
    names: Sequence[str] = compiled.positiontup or () if compiled.positional else ()
    for batch in _batches(rows):
        written = [
            {"row_id": row.get("row_id")} | {f"new_{name}": value for name, value in {**row, **same}.items()}
            for row in batch
        ]
        values: Any = [tuple(row[name] for name in names) for row in written] if names else written
        db.session.connection().exec_driver_sql(compiled.string, values)


def _batches(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        yield rows[first : first + _ROWS_AT_ONCE]
        if len(rows) > _ROWS_AT_ONCE:
            pause()


def _move(recording_id: int, changes: RowChanges) -> None:
    """Move rows to other positions. They pass through negative ones, because positions are unique."""
    theirs = update(Segment).where(Segment.recording_id == recording_id)
    options = {"synchronize_session": False}
    if len(changes.runs) <= _MAX_RUNS:
        for first, last, distance in changes.runs:
            there = theirs.where(Segment.position.between(first, last))
            db.session.execute(
                there.values(position=-(Segment.position + distance) - 1), execution_options=options
            )
    else:
        for batch in _batches(changes.moved):
            _move_each(recording_id, batch)
    if changes.moved:
        db.session.execute(
            theirs.where(Segment.position < 0).values(position=-Segment.position - 1),
            execution_options=options,
        )


def _runs(stayed: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    runs: list[tuple[int, int, int]] = []
    for before, after in stayed:
        if runs and runs[-1][2] == after - before:
            runs[-1] = (runs[-1][0], before, runs[-1][2])
        else:
            runs.append((before, before, after - before))
    return [run for run in runs if run[2]]


def _move_each(recording_id: int, moved: Sequence[tuple[int, int]]) -> None:
    theirs = update(Segment).where(Segment.recording_id == recording_id)
    if db.engine.dialect.name == "sqlite":
        # Joined with a table of pairs, it would look at all pairs for each row.
        one = theirs.where(Segment.position == bindparam("before")).values(position=bindparam("after"))
        rows = [{"before": before, "after": -after - 1} for before, after in moved]
        db.session.connection().execute(one, rows)
        return
    written = orjson.dumps([{"b": before, "a": after} for before, after in moved]).decode()
    fields = (column("b", Integer), column("a", Integer))
    pairs = func.json_to_recordset(cast(literal(written, Text), JSON)).table_valued(*fields)
    found = pairs.render_derived(with_types=True).c
    there = theirs.where(Segment.position == found.b).values(position=-found.a - 1)
    db.session.execute(there, execution_options={"synchronize_session": False})
