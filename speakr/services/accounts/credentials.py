"""Whether the credential of a request that lasts would still be let in."""

from __future__ import annotations

from sqlalchemy import select

from speakr.db import db
from speakr.domain.permissions import Actor
from speakr.models import User
from speakr.services.accounts import sessions, tokens


def still_valid(actor: Actor) -> bool:
    """Ask again about the token or the session of an actor; without either, about the user."""
    if actor.token_id is not None:
        return tokens.still_valid(actor)
    if actor.session_id is not None:
        return sessions.still_valid(actor.session_id)
    return db.session.scalar(select(User.id).where(User.id == actor.user_id, User.is_active)) is not None
