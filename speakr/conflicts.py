"""Repeat work that a concurrent transaction has undone.

PostgreSQL ends one of two transactions that wait for each other (SQLSTATE 40P01), and one that cannot be serialized (40001).
A row that a transaction has read may be deleted before it writes a reference to it. In each case the same work, done again
from its beginning, gives the right result.

Nothing is done twice: work that has committed anything is not repeated, and effects outside the database follow the commit.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm.exc import ObjectDeletedError, StaleDataError

from speakr.db import commit_count, is_writing, release, unit_of_work
from speakr.telemetry.metrics import CONFLICTS

logger = structlog.get_logger(__name__)

T = TypeVar("T")

MAX_TRIES = 3
_FIRST_PAUSE_SECONDS = 0.05

_SQLSTATES = {
    "40P01": "deadlock",
    "40001": "serialization",
    "23503": "reference",  # the row that this one refers to was deleted meanwhile
    "23505": "duplicate",  # another transaction was faster; the next try sees its row
}


def kind_of(error: BaseException) -> str | None:
    """Return which conflict with a concurrent transaction an error is, or None if it is none."""
    if isinstance(error, StaleDataError | ObjectDeletedError):
        return "deleted"
    if not isinstance(error, DBAPIError):
        return None
    kind = _SQLSTATES.get(getattr(error.orig, "sqlstate", None) or "")
    return "locked" if kind is None and "database is locked" in str(error.orig) else kind


def repeat(work: Callable[[], T], *, may_repeat: Callable[[], bool] = lambda: True) -> T:
    """Do work that opens units of work, again after a conflict; return its result. At most `MAX_TRIES` tries.

    The work is not repeated once it has committed anything, or inside a transaction that has begun before it.
    `may_repeat` is asked after a conflict. The error of the last try is raised.
    """
    if is_writing():
        return work()
    commits = commit_count()
    for attempt in range(1, MAX_TRIES):
        try:
            return work()
        except Exception as error:
            kind = kind_of(error)
            if kind is None or commit_count() != commits or is_writing() or not may_repeat():
                raise
            CONFLICTS.labels(kind).inc()
            logger.warning("conflict", kind=kind, attempt=attempt)
        release()
        time.sleep(random.uniform(0.2, 1.0) * _FIRST_PAUSE_SECONDS * 4 ** (attempt - 1))  # noqa: S311 - no secret
    return work()


def in_unit(work: Callable[[], T]) -> T:
    """Do work in one unit of work, again after a conflict; return its result."""

    def unit() -> T:
        with unit_of_work():
            return work()

    return repeat(unit)
