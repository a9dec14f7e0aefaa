"""Usage counters. The transaction of the work itself updates them, so usage is neither lost nor counted twice."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite

from speakr.db import db
from speakr.domain.clock import now
from speakr.models import UsageDay


def add(user_id: int, *, tokens: int = 0, transcribed_seconds: float = 0.0) -> None:
    """Add to the user's counters of today (UTC)."""
    if not tokens and not transcribed_seconds:
        return
    dialect: Any = sqlite if db.engine.dialect.name == "sqlite" else postgresql
    insert = dialect.insert(UsageDay).values(
        user_id=user_id, day=now().date(), tokens=tokens, transcribed_seconds=transcribed_seconds
    )
    db.session.execute(
        insert.on_conflict_do_update(
            index_elements=[UsageDay.user_id, UsageDay.day],
            set_={
                "tokens": UsageDay.tokens + insert.excluded.tokens,
                "transcribed_seconds": UsageDay.transcribed_seconds + insert.excluded.transcribed_seconds,
            },
        )
    )


def this_month(user_id: int | None) -> tuple[int, float]:
    """Return (tokens, transcribed seconds) since the first of the month, for one user or for all."""
    first: date = now().date().replace(day=1)
    query = select(func.sum(UsageDay.tokens), func.sum(UsageDay.transcribed_seconds)).where(
        UsageDay.day >= first
    )
    if user_id is not None:
        query = query.where(UsageDay.user_id == user_id)
    tokens, seconds = db.session.execute(query).one()
    return int(tokens or 0), float(seconds or 0.0)
