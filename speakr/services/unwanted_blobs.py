"""Blobs that nobody refers to any more: noted in the transaction that drops them, then really deleted."""

from __future__ import annotations

import structlog
from sqlalchemy import select

from speakr.backends import plugged
from speakr.db import db, release, unit_of_work
from speakr.models import UnwantedBlob

logger = structlog.get_logger(__name__)


def add(key: str) -> None:
    """Note that a blob is to go, in the transaction that drops the last reference to it."""
    db.session.merge(UnwantedBlob(storage_key=key))


def clear(limit: int = 100) -> int:
    """Delete noted blobs; return how many. Run after a deletion and, for what a crash left, by the mender."""
    keys = db.session.scalars(select(UnwantedBlob.storage_key).limit(limit)).all()
    release()
    cleared = 0
    for key in keys:
        try:
            plugged().storage.delete(key)
        except Exception:
            # The row stays, so it is tried again; one stubborn blob must not keep the others.
            logger.exception("blob_not_deleted", key=key)
            continue
        with unit_of_work() as session:
            blob = session.get(UnwantedBlob, key)
            if blob is not None:
                session.delete(blob)
        cleared += 1
    return cleared
