"""Stored rows and files, to be restored: cheaper than creating them for each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, insert, select

from speakr.db import Base, db, unit_of_work
from speakr.domain.clock import now
from tests.support.apps import delete_rows


@dataclass(frozen=True)
class Snapshot:
    """All rows of a database and all files of a data folder."""

    rows: dict[str, list[dict[str, Any]]]
    files: dict[str, bytes]

    @classmethod
    def take(cls, folder: Path) -> Snapshot:
        """Read the database and the files."""
        return cls(_rows(), _files(folder))

    def restore(self, folder: Path) -> None:
        """Make the database and the files what they were."""
        for token in self.rows["api_tokens"]:
            # A use is recorded once in a minute, and would look like a change.
            token["last_used_at"] = token["last_used_at"] and now()
        with unit_of_work() as session:
            delete_rows(session.connection())
            for table in Base.metadata.sorted_tables:
                if self.rows[table.name]:
                    session.execute(insert(table), self.rows[table.name])
        for name, content in self.files.items():
            path = folder / name
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)


def _rows() -> dict[str, list[dict[str, Any]]]:
    """Return what the database holds."""
    with unit_of_work() as session:
        return {
            table.name: [dict(row._mapping) for row in session.execute(select(table))]
            for table in Base.metadata.sorted_tables
        }


def _files(folder: Path) -> dict[str, bytes]:
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
