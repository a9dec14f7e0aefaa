"""API tokens: create, list, rename, revoke, and authenticate requests."""

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
from speakr.domain.caps import CAPS, Noun
from speakr.domain.clock import now
from speakr.domain.errors import Conflict, Forbidden, Invalid, NotAuthenticated, NotFound
from speakr.domain.paging import Part, Window
from speakr.domain.permissions import DEFAULT_SCOPES, Actor, Scope, missing
from speakr.models import ApiToken, User
from speakr.services import caps, paging, row_locks
from speakr.services.accounts import credentials

logger = structlog.get_logger(__name__)

_PREFIX_LENGTH = 6
_MAX_NAME_LENGTH = 100
_MAX_LIFE_DAYS = 36_500
_USE_WRITE_INTERVAL = timedelta(minutes=1)

_T, _U = ApiToken.__table__.c, User.__table__.c
# Runs on every request. Table columns instead of mapped attributes avoid the cost of the ORM mapper.
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
    """Create a token; return its row and its secret, which cannot be shown again.

    `raw` presets the secret for provisioning; it must have at least 32 characters.
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
    """Create a token for a caller.

    It has at most the scopes of the caller's credential, and expires no later than the token that made it.

    Raises:
        Conflict: the user has as many valid tokens as allowed (`token_cap`).
        Forbidden: the credential lacks a scope.
        NotAuthenticated: the credential was revoked, or the user disabled, since the request was authenticated.

    """
    wanted = frozenset(scopes) if scopes is not None else DEFAULT_SCOPES & actor.scopes
    beyond = missing(wanted, actor.scopes)
    if beyond:
        raise Forbidden(
            f"This credential cannot grant scopes that it does not have: {', '.join(beyond)}.",
            code="scope_missing",
        )
    # With the user's row locked, concurrent requests cannot exceed the cap together. Revocation locks the row too: what was
    # revoked before is noticed here, and what is created here is revoked after.
    row_locks.hold(User, User.id == actor.user_id)
    _require_valid(actor)
    _require_room(actor.user_id)
    token, raw = create(actor.user_id, name=name, expires_in_days=expires_in_days, scopes=wanted)
    if actor.token_id is not None:
        parent = db.session.get_one(ApiToken, actor.token_id)
        token.parent_id = parent.id
        if parent.expires_at is not None:
            token.expires_at = min(token.expires_at or parent.expires_at, parent.expires_at)
    return token, raw


def _require_valid(actor: Actor) -> None:
    if not credentials.still_valid(actor):
        raise NotAuthenticated("The credential is no longer valid.", code="invalid_token")


def _require_room(user_id: int) -> None:
    valid = select(ApiToken.id).where(
        ApiToken.user_id == user_id,
        ApiToken.revoked_at.is_(None),
        or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > now()),
    )
    if not caps.has_room(Noun.TOKENS, valid):
        raise Conflict(f"You have {CAPS[Noun.TOKENS]} valid tokens. Revoke one first.", code="token_cap")


def list_page(actor: Actor, window: Window | None = None) -> Part[ApiToken]:
    """List the actor's tokens, including revoked ones, newest first."""
    query = select(ApiToken).where(ApiToken.user_id == actor.user_id).order_by(ApiToken.id.desc())
    return paging.objects(query, window)


def _get(actor: Actor, token_id: int) -> ApiToken:
    token = db.session.get(ApiToken, token_id)
    if token is None or token.user_id != actor.user_id:
        raise NotFound("Token not found")
    return token


def rename(actor: Actor, token_id: int, name: str) -> ApiToken:
    """Rename a token."""
    if not name.strip():
        raise Invalid("name is required", errors={"name": ["must not be empty"]})
    token = _get(actor, token_id)
    token.name = name.strip()[:_MAX_NAME_LENGTH]
    return token


def revoke(actor: Actor, token_id: int) -> None:
    """Revoke a token and all tokens that were created with it. Their rows stay, so that the list shows them."""
    row_locks.hold(User, User.id == actor.user_id)  # so that no token is being created with one of them
    _revoke([_get(actor, token_id).id])


def revoke_all(user_id: int) -> None:
    """Revoke all tokens of a user, whose row the caller has locked."""
    _revoke(db.session.scalars(select(ApiToken.id).where(ApiToken.user_id == user_id)).all())


def _revoke(token_ids: Sequence[int]) -> None:
    while token_ids:
        db.session.execute(
            update(ApiToken)
            .where(ApiToken.id.in_(token_ids), ApiToken.revoked_at.is_(None))
            .values(revoked_at=now())
        )
        # A child of a token that was revoked long ago is revoked, too.
        token_ids = db.session.scalars(
            select(ApiToken.id).where(ApiToken.parent_id.in_(token_ids), ApiToken.revoked_at.is_(None))
        ).all()


def authenticate(raw: str) -> Actor:
    """Return the actor of a token.

    Raises:
        NotAuthenticated: the token is unknown, expired or revoked, or its user is disabled.

    """
    row = _find(raw)
    if row is None or row.revoked_at is not None or not row.is_active:
        raise NotAuthenticated("The token is not valid.", code="invalid_token")
    moment = now()
    if row.expires_at is not None and row.expires_at <= moment:
        raise NotAuthenticated("The token has expired.", code="expired_token")
    if row.last_used_at is None or moment - row.last_used_at > _USE_WRITE_INTERVAL:
        _note_use(row.id, moment)
    return Actor(
        user_id=row.user_id,
        username=row.username,
        is_admin=row.is_admin,
        token_id=row.id,
        scopes=frozenset(Scope(scope) for scope in row.scopes),
    )


def exists(raw: str) -> bool:
    """Tell whether there is such a token, valid or not."""
    return _find(raw) is not None


def _note_use(token_id: int, moment: datetime) -> None:
    try:
        with unit_of_work() as session:
            session.execute(update(ApiToken).where(ApiToken.id == token_id).values(last_used_at=moment))
    except OperationalError:
        # A busy or full database must not make a read request fail because of a statistic.
        logger.warning("token_use_not_noted", token_id=token_id)
