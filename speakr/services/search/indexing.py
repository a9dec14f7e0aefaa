"""Update the search index in the transaction that changes the indexed texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Table, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from speakr.db import db, release, unit_of_work
from speakr.domain.search import Field, IndexDocument, document, lines_of
from speakr.models import Recording, SearchDocument, SearchStale, SearchTerms, Segment

_BATCH = 50
"""Recordings that one transaction indexes; on SQLite all other writers wait for it."""

_AT_ONCE = 20
"""Recordings that are indexed in the transaction that changed them. Others follow within seconds."""
_BATCHES_PER_ROUND = 20
_IDS_PER_STATEMENT = 5_000
"""SQLite accepts 32,766 values per statement, PostgreSQL 65,535."""

_R = Recording.__table__.c
_S = Segment.__table__.c
_INSERT = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


SEARCHED = frozenset({"title", "participants", "notes", "summary"})
"""The indexed fields of a recording, besides its segments."""


def index(*recording_ids: int) -> None:
    """Index the current texts of recordings. Call this after every change of an indexed text."""
    db.session.flush()
    at_once, later = recording_ids[:_AT_ONCE], recording_ids[_AT_ONCE:]
    if at_once:
        _index(_R.id.in_(at_once), _AT_ONCE)
    for first in range(0, len(later), _IDS_PER_STATEMENT):  # renaming a speaker may change all recordings
        part = later[first : first + _IDS_PER_STATEMENT]
        marks: Any = _INSERT[db.engine.dialect.name](SearchStale).from_select(
            ["recording_id"], select(_R.id).where(_R.id.in_(part))
        )
        db.session.execute(marks.on_conflict_do_nothing())


def catch_up() -> None:
    """Index the recordings that `index` left for later."""
    stale = select(SearchStale.recording_id).limit(_BATCH)
    for _ in range(_BATCHES_PER_ROUND):
        release()
        found = db.session.scalars(stale).all()
        if not found:
            return
        with unit_of_work() as session:
            # A transaction changes and locks a recording before it marks it, so this reads the marked texts.
            _index(_R.id.in_(found), _BATCH)
            session.execute(
                delete(SearchStale).where(SearchStale.recording_id.in_(found)),
                execution_options={"synchronize_session": False},
            )


def reindex() -> Iterator[int]:
    """Rebuild the index while the server runs, in small transactions; yield the number of recordings done."""
    last, done = 0, 0
    while True:
        with unit_of_work():
            indexed = _index(_R.id > last, _BATCH)
        if not indexed:
            return
        last, done = indexed[-1], done + len(indexed)
        yield done


def _index(condition: Any, most: int) -> Sequence[int]:
    connection = db.session.connection()
    # Lock the recordings: if two transactions change different texts of a recording, the second one then sees what the
    # first one wrote.
    rows = connection.execute(
        select(_R.id, _R.user_id, _R.title, _R.participants, _R.summary, _R.notes)
        .where(condition)
        .order_by(_R.id)
        .limit(most)
        .with_for_update(key_share=True, of=Recording.__table__)
    ).all()
    if not rows:
        return ()
    transcripts = _transcripts_of([row.id for row in rows])
    made = [
        (
            row,
            document(
                row.user_id,
                {
                    **{f: lines_of(getattr(row, f)) for f in Field if f is not Field.TRANSCRIPT},
                    Field.TRANSCRIPT: transcripts[row.id],
                },
            ),
        )
        for row in rows
    ]
    _put(
        SearchTerms.__table__,
        [{"recording_id": row.id, "user_id": row.user_id, "terms": found.keys} for row, found in made],
    )
    _put(SearchDocument.__table__, [{"recording_id": row.id} | _texts(found) for row, found in made])
    return [row.id for row in rows]


def _transcripts_of(recording_ids: Sequence[int]) -> dict[int, list[str]]:
    """Return the segment texts per recording, each at its position."""
    found: dict[int, list[str]] = {recording_id: [] for recording_id in recording_ids}
    for recording_id, position, text in db.session.connection().execute(
        select(_S.recording_id, _S.position, _S.text)
        .where(_S.recording_id.in_(recording_ids))
        .order_by(_S.recording_id, _S.position)
    ):
        lines = found[recording_id]
        lines += [""] * (position - len(lines))
        lines.append(text)
    return found


def _texts(found: IndexDocument) -> dict[str, str]:
    return {field.value: text for field, text in found.texts.items()}


def _put(table: Any, rows: list[dict[str, Any]]) -> None:
    assert isinstance(table, Table)  # noqa: S101 - tells the type checker
    statement: Any = _INSERT[db.engine.dialect.name](table) if rows else insert(table)
    changed = {column.name: statement.excluded[column.name] for column in table.c if not column.primary_key}
    db.session.connection().execute(
        statement.on_conflict_do_update(index_elements=[table.c.recording_id], set_=changed), rows
    )
