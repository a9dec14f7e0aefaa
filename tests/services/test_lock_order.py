"""Every transaction locks rows in the order of `row_locks.ORDER`, so that no two can wait for each other."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, event

from speakr.db import Base, db
from speakr.services import row_locks
from tests.support.write_operations import OPERATIONS, build

_CHANGE = re.compile(r"(?:^|\(|;)\s*(?:UPDATE|DELETE FROM)\s+\"?(\w+)")
_LOCK = re.compile(r"FOR (?:NO KEY )?UPDATE(?: OF (\w+))?")
_FROM = re.compile(r"\bFROM\s+\"?(\w+)")


_CHECKED = {*row_locks.ORDER, *row_locks.PARTS}


@dataclass
class Recorder:
    """Which tables a transaction has locked rows of, in order, and what was out of order."""

    wrong: list[str] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)
    _locked: list[str] = field(default_factory=list)

    def begin(self, _connection: Connection) -> None:
        self._locked = []

    def statement(self, _c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        for table in locked_by(statement):
            if table not in _CHECKED or table in self._locked:
                continue
            self.seen[table] = self.seen.get(table, 0) + 1
            later = [each for each in self._locked if is_after(each, table)]
            if "SKIP LOCKED" in statement:  # waits for no other transaction
                later = []
            if later:
                place = [line for line in traceback.format_stack() if "/speakr/" in line][-3:]
                self.wrong.append(f"{table} after {', '.join(later)}: {statement[:200]}\n{''.join(place)}")
            self._locked.append(table)


def is_after(table: str, other: str) -> bool:
    """Tell whether rows of a table are locked after those of another."""
    if table in row_locks.PARTS:
        return row_locks.PARTS[table] == other
    order = row_locks.ORDER
    return other in order and order.index(table) > order.index(other)


def locked_by(statement: str) -> list[str]:
    """Return the tables of which a statement locks existing rows."""
    tables = [match[1] for match in _CHANGE.finditer(statement)]
    lock = _LOCK.search(statement)
    if lock and statement.lstrip().startswith(("SELECT", "WITH")):
        source = _FROM.search(statement)
        tables += [lock[1] or (source[1] if source else "")]
    return tables


@pytest.fixture
def recorder(app: Flask) -> Iterator[Recorder]:
    recorder = Recorder()
    event.listen(db.engine, "begin", recorder.begin)
    event.listen(db.engine, "before_cursor_execute", recorder.statement)
    yield recorder
    event.remove(db.engine, "begin", recorder.begin)
    event.remove(db.engine, "before_cursor_execute", recorder.statement)


def test_the_order_names_tables() -> None:
    assert set(Base.metadata.tables) >= _CHECKED


@pytest.mark.parametrize(
    ("statement", "tables"),
    [
        ("UPDATE jobs SET a = 1 WHERE id = 2", ["jobs"]),
        ("DELETE FROM recordings WHERE id IN (1)", ["recordings"]),
        ("SELECT a FROM users WHERE id = 1 FOR NO KEY UPDATE", ["users"]),
        ("SELECT a FROM users JOIN groups ON 1 = 1 FOR UPDATE OF groups", ["groups"]),
        ("SELECT a FROM webhooks FOR KEY SHARE", []),
        ("SELECT a FROM webhooks FOR NO KEY UPDATE SKIP LOCKED", ["webhooks"]),
        ("INSERT INTO jobs (a) VALUES (1)", []),
    ],
)
def test_the_recorder_reads_statements(statement: str, tables: list[str]) -> None:
    assert locked_by(statement) == tables


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_transaction_out_of_order_is_noticed(app: Flask, recorder: Recorder) -> None:
    world = build(app)
    row_locks.hold(row_locks.Recording, row_locks.Recording.id == world.recordings[0])
    row_locks.hold(row_locks.Job, row_locks.Job.id == world.job)
    assert [wrong.split(":")[0] for wrong in recorder.wrong] == ["jobs after recordings"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_all_writers_lock_in_one_order(app: Flask, recorder: Recorder) -> None:
    problems: list[str] = []
    for name, operation in OPERATIONS.items():
        world = build(app)
        recorder.wrong.clear()
        status = operation(world)
        db.session.remove()
        problems += [f"{name}: {wrong}" for wrong in recorder.wrong]
        if status >= 300:
            problems.append(f"{name}: {status}")
    assert not problems, "\n".join(problems)
    assert set(recorder.seen) >= {*row_locks.ORDER} - {"groups", "uploads", "idempotency_keys"}
