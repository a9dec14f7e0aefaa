"""The lock that admits one dispatcher per database.

The process that holds it may send. The lock ends with that process: PostgreSQL releases a session's lock when the
connection closes, and the kernel releases a file lock when the process ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import structlog
from sqlalchemy import Engine

from speakr.telemetry.log_throttle import LogThrottle

if TYPE_CHECKING:
    from psycopg import AsyncConnection

logger = structlog.get_logger(__name__)

_LOCK_NUMBER = 0x53_70_44_73
_ANSWER_SECONDS = 5.0
"""Seconds after which a database that does not answer a trivial query counts as gone."""

_HANG_UP_SECONDS = 1.0
"""Seconds that a query gets to notice the end of its session."""


class Exclusivity(Protocol):
    """A lock that one process at a time holds. No method raises for an unavailable database."""

    async def try_acquire(self) -> bool:
        """Take the lock if it is free."""
        ...

    async def is_held(self) -> bool:
        """Return True if this process still holds the lock."""
        ...

    async def release(self) -> None:
        """Release the lock."""
        ...


def make_exclusivity(engine: Engine, data_dir: Path) -> Exclusivity:
    """Return the lock for a database."""
    if engine.dialect.name == "postgresql":
        return AdvisoryLock(engine)
    database = engine.url.database
    folder = Path(database).parent if database and database != ":memory:" else data_dir
    return FileLock(folder / "dispatcher.lock")


class AdvisoryLock:
    """A PostgreSQL session advisory lock on a connection of its own.

    The connection must reach the server itself: a pooler that shares sessions would share the lock.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: AsyncConnection[Any] | None = None
        self._log_throttle = LogThrottle()

    async def try_acquire(self) -> bool:
        """Take the lock if it is free; return False also while the database is unavailable."""
        if self._connection is None:
            self._connection = await self._connect()
        if self._connection is None:
            return False
        return await self.ask("SELECT pg_try_advisory_lock(%s)", (_LOCK_NUMBER,))

    async def is_held(self) -> bool:
        """Return True if the session, and so the lock, still exists."""
        return self._connection is not None and await self.ask("SELECT true", ())

    async def release(self) -> None:
        """End the session; the server releases the lock."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _connect(self) -> AsyncConnection[Any] | None:
        from psycopg import AsyncConnection, Error  # noqa: PLC0415 - not loaded where SQLite is used

        _, options = self._engine.dialect.create_connect_args(self._engine.url)
        # A machine that vanishes must not hold the lock until TCP times out.
        options = {
            **options,
            "connect_timeout": round(_ANSWER_SECONDS),
            "options": "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3",
            "application_name": "speakr dispatcher lock",
        }
        try:
            return await AsyncConnection.connect(**options, autocommit=True)
        except (Error, OSError) as error:
            if self._log_throttle.allow("out_of_reach"):
                logger.warning("dispatcher_lock_out_of_reach", kind=type(error).__name__)
            return None

    async def ask(self, question: str, parameters: tuple[int, ...]) -> bool:
        """Run a yes-no query; without an answer, close the session with all its locks."""
        connection = self._connection
        if connection is None:
            return False
        # The driver answers a cancellation in the middle of a query with a query of its own, which has no time limit
        # and replaces the cancellation by an error if the session ends meanwhile. So its task is never cancelled:
        # who does not want the answer any more ends the session, and the task ends with it.
        query = asyncio.create_task(_first_value(connection, question, parameters))
        answer: bool | None = None
        try:
            done, _ = await asyncio.wait({query}, timeout=_ANSWER_SECONDS)
            answer = query.result() if done else None
        finally:
            if answer is None:
                _hang_up(connection)
                await asyncio.wait({query}, timeout=_HANG_UP_SECONDS)
                await self.release()
        return bool(answer)


async def _first_value(
    connection: AsyncConnection[Any], question: str, parameters: tuple[int, ...]
) -> bool | None:
    """Return the answer to a yes-no query, or None if the session is gone."""
    from psycopg import Error  # noqa: PLC0415 - not loaded where SQLite is used

    try:
        row = await (await connection.execute(question.encode(), parameters)).fetchone()
    except (Error, OSError):
        return None
    return bool(row and row[0])


def _hang_up(connection: AsyncConnection[Any]) -> None:
    """End the session at once, whatever its query waits for: the server and the driver read the end of the stream."""
    from psycopg import Error  # noqa: PLC0415 - as above

    with contextlib.suppress(Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


class FileLock:
    """`flock` on a file beside the SQLite database. The file is never removed, because that would free its name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None
        self._log_throttle = LogThrottle()

    async def try_acquire(self) -> bool:
        """Take the lock if no other process holds it."""
        try:
            file = self._path.open("a")
        except OSError as error:
            if self._log_throttle.allow("out_of_reach"):
                logger.warning(
                    "dispatcher_lock_out_of_reach", kind=type(error).__name__, path=str(self._path)
                )
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._file = file
        return True

    async def is_held(self) -> bool:
        """Return True if the name still refers to the locked file: another process could lock a second file under that name."""
        if self._file is None:
            return False
        try:
            ours, named = os.fstat(self._file.fileno()), self._path.stat()
        except OSError:
            return False
        return (ours.st_dev, ours.st_ino) == (named.st_dev, named.st_ino)

    async def release(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
