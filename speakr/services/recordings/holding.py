"""Lock a recording while its version is compared."""

from __future__ import annotations

from sqlalchemy import select

from speakr.db import db
from speakr.domain.permissions import Actor, Permission
from speakr.models import Recording
from speakr.services.recordings import access


def lock_row(actor: Actor, recording_id: int) -> None:
    """Lock a recording's row until the unit of work ends, and discard values that were read before.

    SQLite needs no lock because it has only one writer.
    """
    recording = access.get(actor, recording_id, Permission.EDIT)
    db.session.execute(
        select(Recording.id).where(Recording.id == recording.id).with_for_update(key_share=True)
    )
    db.session.expire(recording)
