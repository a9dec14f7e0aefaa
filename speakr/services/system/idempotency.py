"""Idempotency keys (IETF draft-ietf-httpapi-idempotency-key-header): the same key and body give the same response.

The request that brings a key reserves it first, and completes it in the transaction of the work. The response is
therefore stored if and only if the work is. A key names the process that holds it, so one that was killed is recognised on
the same machine; elsewhere the key becomes free after `HOLD`. Responses are
stored encrypted: some contain a secret that is shown once, all contain data that users may delete.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from cryptography.fernet import InvalidToken
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from speakr.db import db
from speakr.domain.clock import now
from speakr.domain.errors import Conflict, Invalid
from speakr.models import IdempotencyKey
from speakr.services.accounts.sealing import seal, unseal
from speakr.services.system import processes

HOLD = timedelta(seconds=60)
"""Time after which a request that has not renewed its reservation counts as dead."""
LONG_HOLD = timedelta(minutes=15)
"""For requests that wait for a language model and cannot renew their reservation meanwhile."""
KEEP = timedelta(hours=24)
_MAX_KEY_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Held:
    """A key reserved by this request, or one whose work was done before (`answer`)."""

    key_id: int
    owner: str
    answer: tuple[int, Any] | None = None
    fingerprint: str | None = None


def reserve(user_id: int, key: str, operation: str, lasting: timedelta = HOLD) -> Held:
    """Reserve a key for this request. Call this in its own transaction, before the work.

    Raises:
        Conflict: another request with this key is in progress.
        Invalid: the key is malformed or was used for another operation.

    """
    if not key.strip() or len(key) > _MAX_KEY_LENGTH or not (key.isascii() and key.isprintable()):
        raise Invalid(
            f"Idempotency-Key has 1 to {_MAX_KEY_LENGTH} printable ASCII characters.",
            code="idempotency_key_invalid",
        )
    moment = now()
    owner = secrets.token_hex(16)
    db.session.execute(
        delete(IdempotencyKey).where(
            IdempotencyKey.user_id == user_id,
            IdempotencyKey.key == key,
            IdempotencyKey.created_at < moment - KEEP,
        )
    )
    try:
        with db.session.begin_nested():
            fresh = IdempotencyKey(
                user_id=user_id,
                key=key,
                operation=operation,
                owner=owner,
                locked_until=moment + lasting,
                holder=processes.own_name(),
            )
            db.session.add(fresh)
        return Held(fresh.id, owner)
    except IntegrityError:
        pass
    known = db.session.scalar(
        select(IdempotencyKey)
        .where(IdempotencyKey.user_id == user_id, IdempotencyKey.key == key)
        .execution_options(populate_existing=True)
    )
    if known is None:
        raise Conflict("A request with this Idempotency-Key is in progress.", code="idempotency_in_flight")
    if known.operation != operation:
        raise _reused()
    if known.response_status is not None:
        return Held(known.id, owner, (known.response_status, _opened(known)), known.fingerprint)
    return Held(_take_over(known, owner, lasting), owner)


def _take_over(known: IdempotencyKey, owner: str, lasting: timedelta) -> int:
    moment = now()
    is_free = IdempotencyKey.locked_until < moment
    if processes.has_ended(known.holder):
        is_free = IdempotencyKey.owner == known.owner
    taken: int | None = db.session.scalar(
        update(IdempotencyKey)
        .where(IdempotencyKey.id == known.id, IdempotencyKey.response_status.is_(None), is_free)
        .values(owner=owner, locked_until=moment + lasting, holder=processes.own_name())
        .returning(IdempotencyKey.id)
    )
    if taken is None:
        raise Conflict("A request with this Idempotency-Key is in progress.", code="idempotency_in_flight")
    return taken


def prolong(held: Held) -> None:
    """Renew the reservation, because the request is still running."""
    db.session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.id == held.key_id, IdempotencyKey.owner == held.owner)
        .values(locked_until=now() + HOLD)
    )


def complete(held: Held, fingerprint: str, status: int, body: Any) -> None:
    """Store the response (`body` is JSON-serializable), in the transaction of the work.

    Raises:
        Conflict: the reservation expired and another request took the key; this work must be rolled back.

    """
    done = db.session.scalar(
        update(IdempotencyKey)
        .where(
            IdempotencyKey.id == held.key_id,
            IdempotencyKey.owner == held.owner,
            IdempotencyKey.response_status.is_(None),
        )
        .values(
            fingerprint=fingerprint,
            response_status=status,
            response_body={"sealed": seal(orjson.dumps(body).decode())},
        )
        .returning(IdempotencyKey.id)
    )
    if done is None:
        raise Conflict(
            "Another request with this Idempotency-Key has taken over.", code="idempotency_in_flight"
        )


def _opened(known: IdempotencyKey) -> Any:
    try:
        return orjson.loads(unseal((known.response_body or {})["sealed"]))
    except (KeyError, InvalidToken):
        raise Conflict(
            "The request succeeded, but its response can no longer be read, because SPEAKR_SECRET_KEY has changed.",
            code="idempotency_answer_lost",
        ) from None


def release_key(held: Held) -> None:
    """Free the key of a failed request, so that the client may retry at once."""
    db.session.execute(
        delete(IdempotencyKey).where(
            IdempotencyKey.id == held.key_id,
            IdempotencyKey.owner == held.owner,
            IdempotencyKey.response_status.is_(None),
        )
    )


def check_same(held: Held, fingerprint: str) -> None:
    """Refuse a known key with a different body."""
    if held.answer is not None and held.fingerprint != fingerprint:
        raise _reused()


def _reused() -> Invalid:
    return Invalid(
        "This Idempotency-Key was used for a different request.",
        code="idempotency_key_reused",
        errors={"Idempotency-Key": ["was used for a different request"]},
    )


def forget_old() -> None:
    """Delete keys older than `KEEP`."""
    db.session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < now() - KEEP))
