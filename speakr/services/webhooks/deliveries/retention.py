"""Delete old deliveries and events: those older than the retention, and the oldest ones above the row limit.

Ids grow with time, so the oldest rows come first and no index on time is needed: each step reads at most 1000 rows
and deletes those that are due.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, or_, select

from speakr.backends import get_backends
from speakr.db import db
from speakr.domain.clock import now
from speakr.models import Delivery, Event
from speakr.services.webhooks.deliveries.states import IS_OPEN

AT_ONCE = 1_000


class Sweep:
    """One pass through both tables. Call `begin`, then `step` until it returns False, each in its own transaction."""

    def __init__(self) -> None:
        settings = get_backends().settings
        self._before = now() - timedelta(days=settings.webhook_history_days)
        self._most_rows = settings.webhook_history_rows
        self._surplus: dict[Any, int] = {}
        self._last_id = 0

    def begin(self) -> None:
        """Count the rows. This may take a moment: call it outside of any transaction that writes."""
        for table in (Delivery, Event):
            count = db.session.scalar(select(func.count()).select_from(table)) or 0
            self._surplus[table] = count - self._most_rows

    def step(self) -> bool:
        """Delete up to 1000 rows; return whether there may be more."""
        return (
            self._old_deliveries()
            or self._old_events()
            or self._surplus_deliveries()
            or self._surplus_events()
        )

    def _old_deliveries(self) -> bool:
        """Delete deliveries older than the retention, including open ones, which were held all that time."""
        # A claim may be left over from a crash, or belong to a delivery that was cancelled while being sent.
        is_over = or_(Delivery.claimed_until.is_(None), Delivery.claimed_until < self._before, ~IS_OPEN)
        return self._delete(Delivery, _first(Delivery, Delivery.created_at < self._before), is_over)

    def _old_events(self) -> bool:
        return self._delete(Event, _first(Event, Event.occurred_at < self._before))

    def _surplus_deliveries(self) -> bool:
        """Delete the oldest ended deliveries. Open ones count towards the limit but stay."""
        query = (
            select(Delivery.id)
            .where(Delivery.id > self._last_id, ~IS_OPEN)
            .order_by(Delivery.id)
            .limit(self._at_once(Delivery))
        )
        ids = db.session.scalars(query).all() if self._surplus[Delivery] > 0 else []
        self._last_id = max(ids, default=self._last_id)
        return self._delete(Delivery, ids, ~IS_OPEN)

    def _surplus_events(self) -> bool:
        """Delete the oldest events, except those that a delivery may still refer to."""
        if self._surplus[Event] <= 0:
            return False
        first = select(Delivery.created_at).order_by(Delivery.id).limit(1)
        oldest_delivery_at: datetime = db.session.scalar(first) or now()
        return self._delete(
            Event, _first(Event, Event.occurred_at < oldest_delivery_at, self._at_once(Event))
        )

    def _at_once(self, table: Any) -> int:
        return min(AT_ONCE, self._surplus[table])

    def _delete(self, table: Any, which: Select[Any] | Sequence[int], *still: ColumnElement[bool]) -> bool:
        ids = which if isinstance(which, Sequence) else db.session.scalars(which).all()
        if not ids:
            return False
        deleted = db.session.scalars(
            delete(table)
            .where(table.id.in_(ids), *still)
            .returning(table.id)
            .execution_options(synchronize_session=False)
        ).all()
        self._surplus[table] -= len(deleted)
        return bool(deleted)


_IS_FREE = or_(Delivery.claimed_until.is_(None), ~IS_OPEN)
"""A delivery that was cancelled while being sent may keep its claim for ever."""


def _first(table: Any, condition: ColumnElement[bool], most: int = AT_ONCE) -> Select[Any]:
    """Select those of the first `most` rows that meet a condition, reading no more rows than that."""
    first = select(table.id).order_by(table.id).limit(most).scalar_subquery()
    return select(table.id).where(table.id.in_(first), condition)
