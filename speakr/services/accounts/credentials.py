"""Check again whether the credential of a long-running request is still valid."""

from __future__ import annotations

from sqlalchemy import select

from speakr.db import db
from speakr.domain.permissions import Actor
from speakr.models import User
from speakr.services.accounts import sessions, tokens


def still_valid(actor: Actor) -> bool:
    """Check the actor's token or session again; without either, check that the user is active."""
    if actor.token_id is not None:
        return tokens.still_valid(actor)
    if actor.session_id is not None:
        return sessions.still_valid(actor.session_id)
    return db.session.scalar(select(User.id).where(User.id == actor.user_id, User.is_active)) is not None
