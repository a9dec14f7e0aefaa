"""Loading a recording and checking the permission are one call: no door can load a row for nobody."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import undefer

from speakr.db import db
from speakr.domain.errors import NotFound
from speakr.domain.permissions import Actor, Permission
from speakr.models import Recording


def get(actor: Actor, recording_id: int, permission: Permission, *, texts: Sequence[str] = ()) -> Recording:
    """Load a recording for an actor, with the long texts named in `texts` (`notes`, `summary`).

    Raises:
        NotFound: it does not exist or is somebody else's; which of the two is not told.

    """
    del permission  # its owner may do everything, and nobody else sees it
    query = select(Recording).where(Recording.id == recording_id, Recording.user_id == actor.user_id)
    if texts:
        query = query.options(*(undefer(getattr(Recording, name)) for name in texts))
    recording = db.session.scalar(query)
    if recording is None:
        raise NotFound("Recording not found")
    return recording
