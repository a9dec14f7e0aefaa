"""Sessions: start with a password, look up on each request, refresh, end and purge.

A session belongs to one API family. A cookie carries a secret, of which the database stores the SHA-256. A pair
of JWTs carries the session's id and a generation, which grows with each refresh. Only the refresh token of the
current generation is valid: a second use of an older one reveals a stolen token and ends the session.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, select, update

from speakr.db import db
from speakr.domain.caps import CAPS, Noun
from speakr.domain.clock import now
from speakr.domain.errors import NotAuthenticated
from speakr.domain.permissions import Actor, scopes_of_password
from speakr.models import Session, User

PURGED_AT_ONCE = 1_000

_S, _U = Session.__table__.c, User.__table__.c
_COLUMNS = (
    _S.id,
    _S.user_id,
    _S.family,
    _S.generation,
    _S.rotated_at,
    _S.expires_at,
    _S.revoked_at,
    _U.username,
    _U.is_admin,
    _U.is_active,
)
_FOUND = select(*_COLUMNS).join_from(Session.__table__, User.__table__, _U.id == _S.user_id)


@dataclass(frozen=True, slots=True)
class Generation:
    """The values from which the tokens of one generation are made; the same values always give the same tokens."""

    session_id: int
    user_id: int
    number: int
    issued_at: datetime


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def start_with_secret(user_id: int, password_hash: str, family: str, lifetime: timedelta) -> str:
    """Start a session for a cookie; return its secret, which cannot be read again.

    Raises:
        NotAuthenticated: the password was changed, or the user disabled, after the password was checked.

    """
    secret = secrets.token_urlsafe(32)
    _start(user_id, password_hash, family, lifetime, _digest(secret))
    return secret


def start_for_tokens(user_id: int, password_hash: str, family: str, lifetime: timedelta) -> Generation:
    """Start a session for a pair of JWTs. Raises as `start_with_secret` does."""
    session = _start(user_id, password_hash, family, lifetime, None)
    return Generation(session.id, user_id, session.generation, session.rotated_at)


def _start(user_id: int, password_hash: str, family: str, lifetime: timedelta, sha256: str | None) -> Session:
    # Lock the user's row: a session that starts during a change of the password would outlive that change.
    user = db.session.scalar(
        select(User)
        .where(User.id == user_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if user is None or not user.is_active or user.password_hash != password_hash:
        raise NotAuthenticated("The user name or the password is wrong.", code="wrong_password")
    moment = now()
    _make_room(user_id, moment)
    session = Session(
        user_id=user_id,
        family=family,
        sha256=sha256,
        generation=0,
        created_at=moment,
        rotated_at=moment,
        expires_at=moment + lifetime,
    )
    db.session.add(session)
    db.session.flush()  # to know session.id
    return session


def _make_room(user_id: int, moment: datetime) -> None:
    """End a user's oldest sessions, so that one more does not exceed the cap. A login is never refused for it."""
    valid = select(_S.id).where(_S.user_id == user_id, _S.revoked_at.is_(None), _S.expires_at > moment)
    newest = valid.order_by(_S.id.desc()).limit(CAPS[Noun.SESSIONS] - 1)
    _revoke(and_(_S.user_id == user_id, _S.id.not_in(newest.scalar_subquery())))


def by_secret(secret: str, family: str) -> Actor:
    """Return the actor of a cookie's session.

    Raises:
        NotAuthenticated: the session is unknown, expired, ended or of another family, or its user is disabled.

    """
    return _actor(_find(_S.sha256 == _digest(secret)), family)


def by_id(session_id: int, family: str) -> Actor:
    """Return the actor of an access token whose signature is verified. Raises as `by_secret` does."""
    return _actor(_find(_S.id == session_id), family)


def _find(condition: ColumnElement[bool]) -> Row[*tuple[Any, ...]] | None:
    with db.engine.connect() as connection:
        return connection.execute(_FOUND.where(condition)).first()


def _actor(row: Row[*tuple[Any, ...]] | None, family: str) -> Actor:
    if row is None or row.family != family or row.revoked_at is not None or not row.is_active:
        raise NotAuthenticated("The session has ended.", code="invalid_token")
    if row.expires_at <= now():
        raise NotAuthenticated("The session has expired.", code="expired_token")
    return Actor(
        user_id=row.user_id,
        username=row.username,
        is_admin=row.is_admin,
        scopes=scopes_of_password(is_admin=row.is_admin),
        session_id=row.id,
    )


def still_valid(session_id: int) -> bool:
    """Tell whether a session is still valid. Long-running requests call this again."""
    usable = (_S.revoked_at.is_(None), _S.expires_at > now(), _U.is_active)
    query = select(_S.id).join(User.__table__, _U.id == _S.user_id).where(_S.id == session_id, *usable)
    return db.session.scalar(query) is not None


def rotate(
    session_id: int, presented: int, family: str, lifetime: timedelta, grace: timedelta
) -> Generation | None:
    """Replace the refresh token of a generation with the next one; return None if the token is not valid.

    This is a compare-and-set: one of two concurrent refreshes wins. Within `grace` of it, the other gets the same
    tokens again. After it, or without grace, the token counts as stolen and the session is revoked. The caller must
    therefore commit before it refuses the request.
    """
    moment = now()
    is_active = select(_U.id).where(_U.id == _S.user_id, _U.is_active).exists()
    is_live = (_S.id == session_id, _S.family == family, _S.revoked_at.is_(None), _S.expires_at > moment)
    row = db.session.execute(
        update(Session)
        .where(*is_live, is_active, _S.generation == presented)
        .values(generation=presented + 1, rotated_at=moment, expires_at=moment + lifetime)
        .returning(_S.user_id)
        .execution_options(synchronize_session=False)
    ).first()
    if row is not None:
        return Generation(session_id, row.user_id, presented + 1, moment)
    found = db.session.execute(
        select(_S.user_id, _S.generation, _S.rotated_at).where(*is_live, is_active)
    ).first()
    if found is None or presented > found.generation:
        return None
    # A refresh that waited for the lock began before the one that won: the difference may be negative.
    if grace and found.generation == presented + 1 and moment - found.rotated_at <= grace:
        return Generation(session_id, found.user_id, found.generation, found.rotated_at)
    end(session_id)
    return None


def end(session_id: int) -> None:
    """Log out: from the commit on, no cookie and no token of this session is valid."""
    _revoke(_S.id == session_id)


def end_all(user_id: int) -> None:
    """Log a user out of all sessions."""
    _revoke(_S.user_id == user_id)


def _revoke(condition: ColumnElement[bool]) -> None:
    db.session.execute(
        update(Session)
        .where(condition, _S.revoked_at.is_(None))
        .values(revoked_at=now())
        .execution_options(synchronize_session=False)
    )


def purge() -> bool:
    """Delete up to 1000 expired sessions; return whether there may be more."""
    expired = select(_S.id).where(_S.expires_at < now()).limit(PURGED_AT_ONCE)
    deleted = db.session.scalars(
        delete(Session)
        .where(_S.id.in_(expired))
        .returning(_S.id)
        .execution_options(synchronize_session=False)
    ).all()
    return len(deleted) == PURGED_AT_ONCE
