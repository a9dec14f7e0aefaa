"""How this project uses SQLite: one writer at a time, and no wait inside SQLite that stops an event loop.

SQLite waits inside C, where gevent cannot switch: for the write lock, which another process may hold, and for the
disk when it commits. Here the wait for the lock is a sleep, and the commit runs in a native thread.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import PoolProxiedConnection

from speakr.offload import run_blocking

WRITES = "speakr_writes"
"""Execution option of a transaction that will write."""

LOCK_TIMEOUT_SECONDS = 20.0
"""How long a writer waits for the write lock before it fails with `database is locked`."""

_MIN_PAUSE_SECONDS, _MAX_PAUSE_SECONDS = 0.001, 0.02


def tune(engine: Engine, *, foreign_keys: bool = True) -> None:
    """Set up each connection of an engine, and how its transactions begin and end."""

    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _record: object) -> None:
        # The driver must not open transactions by itself: `_begin` below decides which kind.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        # FULL: a committed upload survives a power cut, as our 202 promises.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")
        cursor.execute(_BUSY_TIMEOUT)
        cursor.execute("PRAGMA cache_size=-4000")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that starts as a reader and then writes fails at once when another one wrote in between,
        # whatever the busy timeout. So a writer declares itself at the start.
        if connection.get_execution_options().get(WRITES, False):
            _begin_to_write(connection)
        else:
            connection.exec_driver_sql("BEGIN")

    engine.dialect.do_commit = _commit  # type: ignore[method-assign, assignment] # SQLAlchemy has no event in its place


_BUSY_TIMEOUT = f"PRAGMA busy_timeout={int(LOCK_TIMEOUT_SECONDS * 1000)}"


def _begin_to_write(connection: Connection) -> None:
    deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
    pause = _MIN_PAUSE_SECONDS
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            except OperationalError as error:
                if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
            else:
                return
            time.sleep(pause)
            pause = min(2 * pause, _MAX_PAUSE_SECONDS)
    finally:
        driver.execute(_BUSY_TIMEOUT)


def _code(error: OperationalError) -> int:
    return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF  # without the extension


def _commit(connection: PoolProxiedConnection) -> None:
    run_blocking(connection.commit)
