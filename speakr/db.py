"""The database: one base class, one place that commits, and callbacks after the commit.

Flask-SQLAlchemy stays inside this file; it owns the engine and ties a session to the app context.
"""

from __future__ import annotations

import contextlib
import enum
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar

import orjson
import structlog
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Engine,
    Enum,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from speakr import sqlite

logger = structlog.get_logger(__name__)

Promise = Callable[[], None]


class UTCDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime, stored without its zone: SQLite has none and PostgreSQL need not convert."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - signature
        """Refuse naive times: they are a bug waiting for summer."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give the zone back."""
        return value if value is None else value.replace(tzinfo=UTC)


def by_value(members: type[enum.Enum]) -> list[str]:
    """Store an enum by its values; SQLAlchemy would store the names."""
    return [str(member.value) for member in members]


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UTCDateTime(),
        dict[str, Any]: JSON(none_as_null=True),
        list[Any]: JSON(none_as_null=True),
        enum.Enum: Enum(enum.Enum, values_callable=by_value, native_enum=False, length=40),
        str: String(),
    }

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Never use an id twice: SQLite would give a deleted recording's id to the next one, maybe of another user."""
        super().__init_subclass__(**kwargs)
        if isinstance(cls.__table__, Table) and "id" in cls.__table__.columns:
            cls.__table__.dialect_options["sqlite"]["autoincrement"] = True


BigId = BigInteger().with_variant(Integer, "sqlite")
"""For tables with many rows per recording. SQLite only numbers a plain INTEGER by itself, and it is big."""

# Our tables derive from Base and not from db.Model: the extension is asked for the engine and the session only.
# What was loaded stays readable after the commit: views answer with it.
db = SQLAlchemy(disable_autonaming=True, session_options={"expire_on_commit": False})

_write_gate = threading.RLock()
"""SQLite has one writer. Writers of one process queue here, cooperatively under gevent: waiting inside
SQLite's own lock would stop the whole process, and with it the greenlet that holds the lock."""


def init_app(app: Flask, database_url: str) -> None:
    """Bind the database to the app."""
    sqlite_in_use = database_url.startswith("sqlite")
    options: dict[str, Any] = {
        "json_serializer": lambda value: orjson.dumps(value).decode(),
        "json_deserializer": orjson.loads,
        "pool_size": 10,
        "max_overflow": 40,
    }
    if not sqlite_in_use:
        options["pool_pre_ping"] = True
    app.config["SQLALCHEMY_DATABASE_URI"] = database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = options
    db.init_app(app)
    if sqlite_in_use:
        with app.app_context():
            sqlite.tune(db.engine)


def make_engine(database_url: str) -> Engine:
    """Return an engine outside any app, for migrations; in SQLite it does not follow foreign keys.

    SQLite changes a table by making it anew and dropping the old one. With foreign keys in force that would delete
    all rows that refer to it, and they can only be switched off outside a transaction.
    """
    engine = create_engine(database_url)
    if engine.dialect.name == "sqlite":
        sqlite.tune(engine, foreign_keys=False)
    return engine


@contextlib.contextmanager
def unit_of_work() -> Iterator[Session]:
    """Open one transaction, commit it, then keep the promises made inside it.

    This is the only place that commits. On an exception everything is rolled back and no promise
    is kept. Slow work (network, files, models) never happens inside.
    """
    joined: _Joined | None = db.session().info.get("joined")
    with _transaction() if joined is None else joined.take_part() as session:
        yield session


@contextlib.contextmanager
def separate_unit_of_work() -> Iterator[Session]:
    """Open a unit of work that stays whatever becomes of the `one_commit` around it, which may not have begun to write."""
    with _transaction() as session:
        yield session


@contextlib.contextmanager
def one_commit() -> Iterator[None]:
    """Put the commit of the units of work inside off to the end of this block: all are kept or none.

    For what must be written together with work that opens its own unit: its answer, or a check before it.
    The transaction still begins no earlier than the first unit does.
    """
    session = db.session()
    if "joined" in session.info:
        yield
        return
    if session.info.get("in_unit_of_work"):
        raise RuntimeError("a unit of work is already open")
    with contextlib.ExitStack() as transaction:
        session.info["joined"] = _Joined(transaction)
        try:
            yield
        finally:
            del session.info["joined"]  # promises may open units of their own


class _Joined:
    """Several units of work in one transaction."""

    def __init__(self, transaction: contextlib.ExitStack) -> None:
        self._transaction = transaction
        self._session: Session | None = None
        self._is_taken = False

    @contextlib.contextmanager
    def take_part(self) -> Iterator[Session]:
        """Open the transaction, or go on with it. A unit that fails undoes all."""
        if self._is_taken:
            raise RuntimeError("a unit of work is already open")
        if self._session is None:
            self._session = self._transaction.enter_context(_transaction())
        self._is_taken = True
        try:
            yield self._session
            self._session.flush()  # what the database refuses shows here, as it would at a commit
        except BaseException as error:
            self._session = None
            self._transaction.pop_all().__exit__(type(error), error, error.__traceback__)
            raise
        finally:
            self._is_taken = False


@contextlib.contextmanager
def _transaction() -> Iterator[Session]:
    session = db.session()
    if session.info.get("in_unit_of_work"):
        raise RuntimeError("a unit of work is already open")
    _start_anew(session)
    gate = _write_gate if db.engine.dialect.name == "sqlite" else contextlib.nullcontext()
    promises: list[Promise] = []
    reversals: list[Promise] = []
    session.info.update(in_unit_of_work=True, promises=promises, reversals=reversals)
    try:
        with gate:
            try:
                session.connection(execution_options={sqlite.WRITES: True})
                yield session
                # A commit that fails may have been kept all the same: then nothing is reversed.
                reversals.clear()
                session.commit()
                session.info["commits"] = session.info.get("commits", 0) + 1
            except BaseException:
                session.rollback()
                raise
    finally:
        del session.info["in_unit_of_work"], session.info["promises"], session.info["reversals"]
        _keep(reversals)
    _keep(promises)


def _keep(promises: list[Promise]) -> None:
    for promise in promises:
        try:
            promise()
        except Exception:
            # The fact is stored, or undone; maintenance makes up for the lost side effect.
            logger.exception("promise_failed", promise=getattr(promise, "__qualname__", repr(promise)))


def commit_count() -> int:
    """Return the number of units of work that were committed in this app context."""
    count: int = db.session().info.get("commits", 0)
    return count


def is_writing() -> bool:
    """Tell whether a transaction that may have written is open: that of a unit of work or of a `one_commit`."""
    return bool(db.session().info.get("in_unit_of_work"))


def after_commit(promise: Promise) -> None:
    """Do something outside the database once, and only if, the current unit of work is committed."""
    session = db.session()
    if not session.info.get("in_unit_of_work"):
        raise RuntimeError("after_commit needs an open unit of work")
    session.info["promises"].append(promise)


def after_rollback(reversal: Promise) -> None:
    """Undo something outside the database once, and only if, the current unit of work is rolled back.

    Not when the commit itself fails, for it may have been kept: then what was made outside has to be found by
    a sweep.
    """
    session = db.session()
    if not session.info.get("in_unit_of_work"):
        raise RuntimeError("after_rollback needs an open unit of work")
    session.info["reversals"].append(reversal)


def release() -> None:
    """Give the connection back before waiting for something slow (a client's bytes, a live stream)."""
    session = db.session()
    if session.info.get("in_unit_of_work"):
        raise RuntimeError("release() would undo the open unit of work")
    _start_anew(session)


def _start_anew(session: Session) -> None:
    """End the read transaction of whatever came before, and forget what it read: it may be old by now."""
    session.rollback()
    session.expire_all()
