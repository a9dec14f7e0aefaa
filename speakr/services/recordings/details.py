"""Load one recording for display in as few queries as possible.

The statement is built once, because building it costs more than running it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, func, select

from speakr.db import db
from speakr.domain.errors import NotFound
from speakr.domain.permissions import Actor
from speakr.models import CalendarEvent, Folder, Recording, RecordingTag
from speakr.services.language import calendar_events
from speakr.services.recordings import access, listing

_R = Recording.__table__.c
_OTHER = Recording.__table__.alias("other")

_ONE = select(
    *(column for column in _R if column.name not in {"notes", "summary", "hints"}),
    select(Folder.__table__.c.name)
    .where(Folder.__table__.c.id == _R.folder_id)
    .scalar_subquery()
    .label("folder_name"),
    select(func.count())
    .select_from(RecordingTag.__table__)
    .where(RecordingTag.__table__.c.recording_id == _R.id)
    .scalar_subquery()
    .label("tag_count"),
    select(func.count())
    .select_from(CalendarEvent.__table__)
    .where(CalendarEvent.__table__.c.recording_id == _R.id)
    .scalar_subquery()
    .label("event_count"),
    select(func.count())
    .select_from(_OTHER)
    .where(_OTHER.c.user_id == _R.user_id, _OTHER.c.sha256 == _R.sha256)
    .scalar_subquery()
    .label("copy_count"),
).where(_R.id == bindparam("recording_id"))
_ONE_WITH_TEXTS = _ONE.add_columns(_R.summary, _R.notes)
_OWN, _OWN_WITH_TEXTS = (each.where(_R.user_id == bindparam("user_id")) for each in (_ONE, _ONE_WITH_TEXTS))


@dataclass(frozen=True, slots=True)
class Detail:
    """A recording's row and its related rows. `copies` is empty unless there are several.

    Notes, tags, folder, copies and inbox flags are for the owner only; do not show them to other users (`is_owner`).
    """

    row: Any
    tags: Sequence[Any]
    events: Sequence[Any]
    copies: Sequence[Any]
    is_owner: bool


def look_at(actor: Actor, recording_id: int, *, with_texts: bool) -> Detail:
    """Load one recording for reading, with `summary` and `notes` if `with_texts`.

    Raises:
        NotFound: the recording does not exist or the actor may not see it; the error does not say which.

    """
    connection = db.session.connection()
    values = {"recording_id": recording_id, "user_id": actor.user_id}
    own, others = (_OWN_WITH_TEXTS, _ONE_WITH_TEXTS) if with_texts else (_OWN, _ONE)
    row = connection.execute(own, values).first()
    is_owner = row is not None
    # The same queries whether the recording exists or not, so that the time does not tell which.
    if row is None and access.is_shared_with(actor, recording_id):
        row = connection.execute(others, {"recording_id": recording_id}).first()
    if row is None:
        raise NotFound("Recording not found")
    return Detail(
        row=row,
        tags=listing.tags_of([row.id])[row.id] if row.tag_count and is_owner else (),
        events=calendar_events.of_recording(row.id) if row.event_count else (),
        copies=listing.copies_of(actor, row.sha256) if row.copy_count > 1 and is_owner else (),
        is_owner=is_owner,
    )
