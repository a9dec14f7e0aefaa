"""Blobs that nobody refers to any more: noted in the transaction that drops them, then really deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from speakr.backends import get_backends
from speakr.db import db, release, unit_of_work
from speakr.models import UnwantedBlob

logger = structlog.get_logger(__name__)


def add(key: str) -> None:
    """Note that a blob is to go, in the transaction that drops the last reference to it."""
    add_all([key])


def add_all(keys: Sequence[str]) -> None:
    """Note several blobs."""
    dialect: Any = sqlite if db.engine.dialect.name == "sqlite" else postgresql
    if keys:
        db.session.execute(
            dialect.insert(UnwantedBlob).on_conflict_do_nothing(), [{"storage_key": key} for key in keys]
        )


def clear(limit: int = 100) -> int:
    """Delete noted blobs; return how many. Run after a deletion and, for what a crash left, by maintenance."""
    # Newest first: a stubborn blob must not stand in the way of those that can go.
    keys = db.session.scalars(
        select(UnwantedBlob.storage_key).order_by(UnwantedBlob.created_at.desc()).limit(limit)
    ).all()
    release()
    cleared = []
    for key in keys:
        try:
            get_backends().storage.delete(key)
        except Exception:
            # The row stays, so it is tried again.
            logger.exception("blob_not_deleted", key=key)
            continue
        cleared.append(key)
    if cleared:
        with unit_of_work() as session:
            session.execute(delete(UnwantedBlob).where(UnwantedBlob.storage_key.in_(cleared)))
    return len(cleared)
