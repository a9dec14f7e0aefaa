"""API tokens: made, listed, renamed, revoked, and asked who they are on every request."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Row, bindparam, or_, select, update
from sqlalchemy.exc import OperationalError

from speakr.db import db, unit_of_work
from speakr.domain.clock import now
from speakr.domain.errors import Forbidden, Invalid, NotAuthenticated, NotFound
from speakr.domain.permissions import DEFAULT_SCOPES, Actor, Scope
from speakr.models import ApiToken, User

logger = structlog.get_logger(__name__)

_PREFIX_LENGTH = 6
_MAX_NAME_LENGTH = 100
_MAX_LIFE_DAYS = 36_500
_USE_IS_WRITTEN_EVERY = timedelta(minutes=1)

_T, _U = ApiToken.__table__.c, User.__table__.c
# Asked on every request: table columns and not mapped attributes, so that the mapper has no part in it.
_BY_HASH = (
    select(
        _T.id,
        _T.user_id,
        _T.scopes,
        _T.expires_at,
        _T.revoked_at,
        _T.last_used_at,
        _U.username,
        _U.is_admin,
        _U.is_active,
    )
    .join_from(ApiToken.__table__, User.__table__, _U.id == _T.user_id)
    .where(_T.sha256 == bindparam("sha256"))
)


def _find(raw: str) -> Row[*tuple[Any, ...]] | None:
    with db.engine.connect() as connection:
        return connection.execute(_BY_HASH, {"sha256": _digest(raw)}).first()


def _digest(raw: str) -> str:
    return hashlib.sha256(raw.encode("utf-8", "surrogateescape")).hexdigest()


def create(
    user_id: int,
    *,
    name: str = "Unnamed Token",
    expires_in_days: int = 0,
    scopes: Iterable[Scope] = DEFAULT_SCOPES,
    raw: str | None = None,
) -> tuple[ApiToken, str]:
    """Make a token; return its row and the secret, which cannot be shown again.

    `raw` presets the secret for provisioning; it must be at least 32 characters long.
    """
    if not 0 <= expires_in_days <= _MAX_LIFE_DAYS:
        raise Invalid(
            "expires_in_days must be a non-negative integer",
            errors={"expires_in_days": [f"must be between 0 and {_MAX_LIFE_DAYS}"]},
        )
    raw = raw or secrets.token_urlsafe(32)
    token = ApiToken(
        user_id=user_id,
        name=name.strip()[:_MAX_NAME_LENGTH] or "Unnamed Token",
        prefix=raw[:_PREFIX_LENGTH],
        sha256=_digest(raw),
        scopes=sorted(set(scopes)),
        expires_at=now() + timedelta(days=expires_in_days) if expires_in_days else None,
    )
    db.session.add(token)
    db.session.flush()  # to know token.id
    return token, raw


def create_for(
    actor: Actor, *, name: str, expires_in_days: int, scopes: Iterable[Scope] | None
) -> tuple[ApiToken, str]:
    """Make a token on request: it may do no more than the credential that asks for it."""
    wanted = frozenset(scopes) if scopes is not None else DEFAULT_SCOPES & actor.scopes
    beyond = wanted - actor.scopes
    if beyond:
        raise Forbidden(
            f"This credential cannot give what it does not have: {', '.join(sorted(beyond))}.",
            code="scope_missing",
        )
    return create(actor.user_id, name=name, expires_in_days=expires_in_days, scopes=wanted)


def list_for(actor: Actor) -> Sequence[ApiToken]:
    """List the actor's tokens, newest first, revoked ones too."""
    return db.session.scalars(
        select(ApiToken).where(ApiToken.user_id == actor.user_id).order_by(ApiToken.id.desc())
    ).all()


def _get(actor: Actor, token_id: int) -> ApiToken:
    token = db.session.get(ApiToken, token_id)
    if token is None or token.user_id != actor.user_id:
        raise NotFound("Token not found")
    return token


def rename(actor: Actor, token_id: int, name: str) -> ApiToken:
    """Give a token another name."""
    if not name.strip():
        raise Invalid("name is required", errors={"name": ["must not be empty"]})
    token = _get(actor, token_id)
    token.name = name.strip()[:_MAX_NAME_LENGTH]
    return token


def revoke(actor: Actor, token_id: int) -> None:
    """End a token's life. Its row stays, so that the list can tell."""
    token = _get(actor, token_id)
    token.revoked_at = token.revoked_at or now()


def authenticate(raw: str) -> Actor:
    """Tell who comes with this token.

    Raises:
        NotAuthenticated: unknown, expired or revoked, or its user is switched off.

    """
    row = _find(raw)
    if row is None or row.revoked_at is not None or not row.is_active:
        raise NotAuthenticated("The token is not valid.", code="invalid_token")
    moment = now()
    if row.expires_at is not None and row.expires_at <= moment:
        raise NotAuthenticated("The token has expired.", code="expired_token")
    if row.last_used_at is None or moment - row.last_used_at > _USE_IS_WRITTEN_EVERY:
        _note_use(row.id, moment)
    return Actor(
        user_id=row.user_id,
        username=row.username,
        is_admin=row.is_admin,
        token_id=row.id,
        scopes=frozenset(Scope(scope) for scope in row.scopes),
    )


def still_valid(actor: Actor) -> bool:
    """Tell whether the token that an actor came with would still be let in: for requests that last."""
    usable = (_T.revoked_at.is_(None), or_(_T.expires_at.is_(None), _T.expires_at > now()), _U.is_active)
    query = select(_T.id).join(User.__table__, _U.id == _T.user_id).where(_T.id == actor.token_id, *usable)
    return db.session.scalar(query) is not None


def _note_use(token_id: int, moment: datetime) -> None:
    try:
        with unit_of_work() as session:
            session.execute(update(ApiToken).where(ApiToken.id == token_id).values(last_used_at=moment))
    except OperationalError:
        # A busy or full database must not turn a read away for the sake of a statistic.
        logger.warning("token_use_not_noted", token_id=token_id)
