"""Alembic's entry: migrate the database of the settings, or the connection handed over by `speakr.migrations`."""

from alembic import context

import speakr.models  # noqa: F401 - fills the metadata
from speakr.db import Base, make_engine
from speakr.models.search import is_described_here
from speakr.settings import Settings


def run() -> None:
    connection = context.config.attributes.get("connection")
    if connection is None:
        engine = make_engine(Settings.from_env().resolved_database_url)
        with engine.connect() as own:
            _migrate(own)
    else:
        _migrate(connection)


def _migrate(connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        include_name=is_described_here,
        user_module_prefix="speakr.db.",
    )
    with context.begin_transaction():
        context.run_migrations()


run()
