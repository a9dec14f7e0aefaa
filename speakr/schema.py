"""Bringing a database to the shape the code expects (Alembic), safely when several processes start at once."""

from __future__ import annotations

from collections.abc import Callable

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from speakr import installation, models
from speakr.db import make_engine
from speakr.models.search import is_described_here

_LOCK_NUMBER = 0x53_70_65_61


def _config(connection: Connection) -> Config:
    config = Config()
    folder = str(installation.files() / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))  # Alembic expands what follows a %
    config.attributes["connection"] = connection
    return config


def upgrade(database_url: str, revision: str = "head") -> None:
    """Migrate to the newest version. A second process waits and then has nothing to do."""
    _run(database_url, lambda config: command.upgrade(config, revision))


def downgrade(database_url: str, revision: str) -> None:
    """Migrate down."""
    _run(database_url, lambda config: command.downgrade(config, revision))


def _run(database_url: str, action: Callable[[Config], None]) -> None:
    engine = make_engine(database_url)
    writes = {"speakr_writes": True}  # SQLite: the file's own write lock keeps a second migration out
    try:
        with engine.connect().execution_options(**writes) as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK_NUMBER})
            action(_config(connection))
    finally:
        engine.dispose()


def differences(database_url: str) -> list[str]:
    """Return how a migrated database differs from the tables in the code; a test wants this empty."""
    engine = make_engine(database_url)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"include_name": is_described_here})
            found = compare_metadata(context, models.ApiToken.metadata)
            return [str(difference) for difference in found]
    finally:
        engine.dispose()
