"""The database that a storage belongs to: a blob in the storage contains the id of the database that uses it.

Blobs that no row refers to are deleted as orphans. If two databases shared a storage by mistake, each would delete
the recordings of the other, so only the owner may delete orphans.
"""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from speakr.backends import get_backends
from speakr.db import db, release, unit_of_work
from speakr.models import SystemSetting
from speakr.storage.base import BlobMissing

MARK_KEY = f"owner/00/{'0' * 32}"
"""Key of the blob with the owner's id, 32 hexadecimal digits. The orphan sweep does not read below `owner/`."""

_SETTING = "storage_owner_id"
"""A row in the table of the administrator's settings; their lists show only known names, so not this one."""

_ID_BYTES = 16


def owns_storage(*, dry_run: bool = False) -> bool:
    """Return whether the storage belongs to this database; a storage without an owner is taken over.

    With `dry_run`, a storage without an owner stays as it is and counts as this database's.
    Call this outside of any transaction. If two databases take over the same storage within moments, both may get True
    once. From the next call on, the last one to write is the owner.
    """
    if _mark() is None:
        if dry_run:
            return True
        _write_mark(_database_id())
    return _mark() == _database_id()


def take_over() -> None:
    """Make this database the owner of the storage. The orphan sweep of the previous owner stops."""
    _write_mark(_database_id())


def _database_id() -> str:
    dialect: Any = sqlite if db.engine.dialect.name == "sqlite" else postgresql
    insert = dialect.insert(SystemSetting).values(
        name=_SETTING, value={"value": secrets.token_hex(_ID_BYTES)}
    )
    query = select(SystemSetting.value).where(SystemSetting.name == _SETTING)
    found = db.session.scalar(query)
    release()
    if found is None:
        with unit_of_work() as session:
            session.execute(insert.on_conflict_do_nothing())
            found = session.scalars(query).one()
    return str(found["value"])


def _mark() -> str | None:
    try:
        with get_backends().storage.open(MARK_KEY) as blob:
            return blob.read(2 * _ID_BYTES).decode("ascii", "replace")
    except BlobMissing:
        return None


def _write_mark(own: str) -> None:
    sink = get_backends().storage.create(MARK_KEY)
    try:
        sink.write(own.encode("ascii"))
        sink.commit()
    finally:
        sink.abort()
