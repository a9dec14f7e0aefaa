"""Mail goes on after the upgrade that verifies addresses: those of administrators are trusted, the others get a code."""

from __future__ import annotations

from sqlalchemy import MetaData, Table, select

from speakr.db import make_engine
from speakr.schema import downgrade, upgrade
from tests.architecture.test_upgrades import OldTables

BEFORE = "7c2e9a41d8b3"


def test_addresses_at_the_upgrade(empty_database: str) -> None:
    upgrade(empty_database, BEFORE)
    engine = make_engine(empty_database)
    with engine.begin() as connection:
        tables = OldTables(connection)
        for number, (name, facts) in enumerate(
            {
                "root": {"email": "root@mail.example", "is_admin": True},
                "ann": {"email": "ann@mail.example"},
                "bob": {"email": "bob@mail.example", "email_verified": True},
                "off": {"email": "off@mail.example", "is_active": False},
                "none": {},
            }.items(),
            start=1,
        ):
            tables.add("users", id=number, username=name, **{"is_active": True, **facts})
    upgrade(empty_database)
    with engine.connect() as connection:
        users, emails = (Table(name, MetaData(), autoload_with=connection) for name in ("users", "emails"))
        verified = connection.scalars(select(users.c.username).where(users.c.email_verified)).all()
        queued = connection.execute(select(emails.c.address, emails.c.kind, emails.c.state)).all()
    engine.dispose()
    assert set(verified) == {"root", "bob"}
    assert [tuple(row) for row in queued] == [("ann@mail.example", "verification", "waiting")]
    downgrade(empty_database, BEFORE)
    upgrade(empty_database)
