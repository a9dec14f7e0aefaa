"""Rows and files of a prepared library, to be restored: cheaper than creating it for each test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, insert, select

from speakr.db import Base, db, unit_of_work
from speakr.domain.clock import now


@dataclass(frozen=True)
class Imprint:
    """The rows and files of a library."""

    rows: dict[str, list[dict[str, Any]]]
    files: dict[str, bytes]
    ids: dict[str, Any]
    tokens: dict[str, str]
    notifications: Sequence[Any]

    def restore(self, folder: Path) -> None:
        """Make the database and the files what they were."""
        for token in self.rows["api_tokens"]:
            # A use is recorded once in a minute, and would look like a change.
            token["last_used_at"] = token["last_used_at"] and now()
        with unit_of_work() as session:
            _empty_tables(session.connection())
            for table in Base.metadata.sorted_tables:
                if self.rows[table.name]:
                    session.execute(insert(table), self.rows[table.name])
        for name, content in self.files.items():
            path = folder / name
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)


def _empty_tables(connection: Connection) -> None:
    statements = [f"DELETE FROM {table.name}" for table in reversed(Base.metadata.sorted_tables)]  # noqa: S608 - names of our tables
    if connection.dialect.name == "postgresql":  # takes them all at once
        statements = ["; ".join(statements)]
    for statement in statements:
        connection.exec_driver_sql(statement)


def rows() -> dict[str, list[dict[str, Any]]]:
    """Return what the database holds."""
    with unit_of_work() as session:
        return {
            table.name: [dict(row._mapping) for row in session.execute(select(table))]
            for table in Base.metadata.sorted_tables
        }


def files(folder: Path) -> dict[str, bytes]:
    """Return the files in a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@dataclass
class Changes:
    """Detects writes since the last check."""

    is_any: bool = False


@contextmanager
def noticing_changes() -> Iterator[Changes]:
    """Notice writes to the database; files change with rows only."""
    changes = Changes()

    def note(_connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.lstrip().upper().startswith(("SELECT", "BEGIN", "SAVEPOINT", "RELEASE", "PRAGMA")):
            changes.is_any = True

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield changes
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
