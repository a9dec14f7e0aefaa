"""Check again whether the credential of a request is still valid: the request may run long, or have waited for a lock."""

from __future__ import annotations

from sqlalchemy import or_, select

from speakr.db import db
from speakr.domain.clock import now
from speakr.domain.permissions import Actor
from speakr.models import ApiToken, User
from speakr.services.accounts import sessions


def still_valid(actor: Actor) -> bool:
    """Check the actor's token or session again; without either, check that the user is active."""
    if actor.token_id is not None:
        return _is_token_valid(actor.token_id)
    if actor.session_id is not None:
        return sessions.still_valid(actor.session_id)
    return db.session.scalar(select(User.id).where(User.id == actor.user_id, User.is_active)) is not None


def _is_token_valid(token_id: int) -> bool:
    is_unexpired = or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > now())
    query = (
        select(ApiToken.id)
        .join(User, User.id == ApiToken.user_id)
        .where(ApiToken.id == token_id, ApiToken.revoked_at.is_(None), is_unexpired, User.is_active)
    )
    return db.session.scalar(query) is not None
