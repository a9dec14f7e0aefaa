"""Apps that several tests use, and the clean database between them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import Connection, Engine, event

from speakr import backends as plumbing
from speakr.app import FAMILIES, create_app
from speakr.backends import Backends
from speakr.db import Base, db, unit_of_work
from speakr.services.accounts import users
from speakr.settings import Settings
from tests.support.loop_blocks import RequestTimes

_DELETES = [f"DELETE FROM {table.name}" for table in reversed(Base.metadata.sorted_tables)]  # noqa: S608


class BuiltApps:
    """Apps by their settings, without the data folder, which differs for each test.

    All apps on one database share its engine, with its open connections and compiled statements.
    """

    def __init__(self) -> None:
        self._built: dict[tuple[Settings, tuple[str, ...], bool], Flask] = {}
        self._engines: dict[str, Engine] = {}
        self.times = RequestTimes()

    def of(
        self,
        settings: Settings,
        backends: Backends,
        families: Sequence[str] = FAMILIES,
        *,
        is_second: bool = False,
    ) -> Flask:
        """Return an app that uses these backends, or a second one like it."""
        key = replace(settings, data_dir=Path("/")), tuple(families), is_second
        if key not in self._built:
            self._built[key] = create_app(settings, backends, families)
            self._share_engine(self._built[key], settings.resolved_database_url)
            self.times.watch(self._built[key])
        plumbing.set_backends(backends)
        return self._built[key]

    def close(self) -> None:
        """Close the open connections."""
        for engine in self._engines.values():
            engine.dispose()

    def _share_engine(self, app: Flask, database_url: str) -> None:
        with app.app_context():
            if database_url not in self._engines:
                self._engines[database_url] = db.engine
                _commit_without_waiting_for_the_disk(db.engine)
            # Flask-SQLAlchemy hands out the mapping in which it keeps the engines of the app.
            cast("dict[str | None, Engine]", db.engines)[None] = self._engines[database_url]


def _commit_without_waiting_for_the_disk(engine: Engine) -> None:
    """Turn `fsync` off: these databases need not survive a power cut."""
    if engine.dialect.name == "sqlite":
        event.listen(
            engine, "connect", lambda connection, _record: connection.execute("PRAGMA synchronous=OFF")
        )


_quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
_QUICK_HASH = _quick.hash("a password that no user has")


def make_slow_parts_quick(patch: pytest.MonkeyPatch) -> None:
    """Hash passwords with the least effort, and store blobs without waiting for the disk.

    `tests/services/test_passwords.py` checks the effort of real hashes, `tests/storage` when files are synced.
    """
    patch.setattr(users, "_hasher", _quick)
    patch.setattr(users, "_DUMMY_HASH", _QUICK_HASH)
    patch.setattr(os, "fsync", _ignore)


def _ignore(*_: Any) -> None: ...


def empty_tables() -> None:
    """Delete all rows."""
    with unit_of_work() as session:
        delete_rows(session.connection())


def delete_rows(connection: Connection) -> None:
    """Delete all rows, on PostgreSQL in one round trip."""
    for statement in ["; ".join(_DELETES)] if connection.dialect.name == "postgresql" else _DELETES:
        connection.exec_driver_sql(statement)
