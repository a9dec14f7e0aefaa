"""Record that recordings changed because their tags or folders did."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator

from sqlalchemy import ColumnElement, select, update

from speakr.db import db
from speakr.domain.clock import now
from speakr.domain.events import RecordingUpdated
from speakr.models import Recording
from speakr.services.webhooks import events


@contextlib.contextmanager
def record_changes(which: ColumnElement[bool], *fields: str) -> Iterator[None]:
    """Set `updated_at` of matching recordings and record events for their owners when the block changes these fields.

    The recordings are selected before the block and the events recorded after it, because webhook filters match the
    recording's tags and folder after the change.
    """
    rows = db.session.execute(
        select(Recording.id, Recording.user_id, Recording.title)
        .where(which)
        .order_by(Recording.id)
        .with_for_update(key_share=True)
    ).all()
    if rows:
        # Set explicitly: a foreign key that sets null, or a row in another table, does not update `updated_at`.
        db.session.execute(
            update(Recording)
            .where(which)
            .values(updated_at=now())
            .execution_options(synchronize_session=False)
        )
    yield
    db.session.flush()
    facts: defaultdict[int, list[RecordingUpdated]] = defaultdict(list)
    for row in rows:
        facts[row.user_id].append(
            RecordingUpdated(recording_id=row.id, title=row.title, fields_changed=fields)
        )
    for user_id, of_user in facts.items():
        events.record_all(user_id, of_user)
