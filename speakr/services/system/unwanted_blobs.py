"""Blobs that no row refers to any more: marked in the transaction that drops them, then deleted."""

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
    """Mark a blob for deletion, in the transaction that drops the last reference to it."""
    add_all([key])


def add_all(keys: Sequence[str]) -> None:
    """Mark several blobs for deletion."""
    dialect: Any = sqlite if db.engine.dialect.name == "sqlite" else postgresql
    if keys:
        db.session.execute(
            dialect.insert(UnwantedBlob).on_conflict_do_nothing(), [{"storage_key": key} for key in keys]
        )


def clear(limit: int = 100) -> int:
    """Delete marked blobs; return their number. Runs after a deletion and, for leftovers of crashes, in maintenance."""
    # Newest first, so that a blob that cannot be deleted does not block others.
    keys = db.session.scalars(
        select(UnwantedBlob.storage_key).order_by(UnwantedBlob.created_at.desc()).limit(limit)
    ).all()
    release()
    cleared = []
    for key in keys:
        try:
            get_backends().storage.delete(key)
        except Exception:
            # The row stays, so the next run tries again.
            logger.exception("blob_not_deleted", key=key)
            continue
        cleared.append(key)
    if cleared:
        with unit_of_work() as session:
            session.execute(delete(UnwantedBlob).where(UnwantedBlob.storage_key.in_(cleared)))
    return len(cleared)
