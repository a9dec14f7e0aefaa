"""Idempotency keys (IETF draft-ietf-httpapi-idempotency-key-header): the same key and body, the same answer.

A key is first held by the request that brought it, then completed in the transaction of the work. So the
answer is stored exactly when the work is; a request that dies in between frees its key after `HOLD`.
Answers are sealed: some hold a secret that is shown once, all hold what somebody may delete today.
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

HOLD = timedelta(seconds=60)
"""A request that has not prolonged its hold for so long is dead."""
LONG_HOLD = timedelta(minutes=15)
"""For requests that wait for a language model and cannot say meanwhile that they live."""
KEEP = timedelta(hours=24)
_MAX_KEY_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Held:
    """A key held by this request, or one whose work was done before (`answer`)."""

    key_id: int
    owner: str
    answer: tuple[int, Any] | None = None
    fingerprint: str | None = None


def reserve(user_id: int, key: str, operation: str, lasting: timedelta = HOLD) -> Held:
    """Take a key for this request. Run in its own transaction, before the work.

    Raises:
        Conflict: another request with this key is still at work.
        Invalid: the key is unusable or was used for another operation.

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
                user_id=user_id, key=key, operation=operation, owner=owner, locked_until=moment + lasting
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
        raise Conflict("A request with this Idempotency-Key is still at work.", code="idempotency_in_flight")
    if known.operation != operation:
        raise _reused()
    if known.response_status is not None:
        return Held(known.id, owner, (known.response_status, _opened(known)), known.fingerprint)
    return Held(_take_over(known.id, owner, lasting), owner)


def _take_over(key_id: int, owner: str, lasting: timedelta) -> int:
    moment = now()
    taken: int | None = db.session.scalar(
        update(IdempotencyKey)
        .where(
            IdempotencyKey.id == key_id,
            IdempotencyKey.response_status.is_(None),
            IdempotencyKey.locked_until < moment,
        )
        .values(owner=owner, locked_until=moment + lasting)
        .returning(IdempotencyKey.id)
    )
    if taken is None:
        raise Conflict("A request with this Idempotency-Key is still at work.", code="idempotency_in_flight")
    return taken


def prolong(held: Held) -> None:
    """Say that the request is still alive."""
    db.session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.id == held.key_id, IdempotencyKey.owner == held.owner)
        .values(locked_until=now() + HOLD)
    )


def complete(held: Held, fingerprint: str, status: int, body: Any) -> None:
    """Store the answer (`body` is what JSON can say), in the transaction of the work.

    Raises:
        Conflict: the hold had run out and another request took the key; this work must not be kept.

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
        raise Conflict("Another request with this Idempotency-Key was faster.", code="idempotency_in_flight")


def _opened(known: IdempotencyKey) -> Any:
    try:
        return orjson.loads(unseal((known.response_body or {})["sealed"]))
    except (KeyError, InvalidToken):
        raise Conflict(
            "This was done, but its answer can no longer be read: SPEAKR_SECRET_KEY has changed since.",
            code="idempotency_answer_lost",
        ) from None


def release_key(held: Held) -> None:
    """Free a key whose request failed, so that it may be tried again at once."""
    db.session.execute(
        delete(IdempotencyKey).where(
            IdempotencyKey.id == held.key_id,
            IdempotencyKey.owner == held.owner,
            IdempotencyKey.response_status.is_(None),
        )
    )


def check_same(held: Held, fingerprint: str) -> None:
    """Refuse a known key that comes with another body."""
    if held.answer is not None and held.fingerprint != fingerprint:
        raise _reused()


def _reused() -> Invalid:
    return Invalid(
        "This Idempotency-Key was used for a different request.",
        code="idempotency_key_reused",
        errors={"Idempotency-Key": ["was used for a different request"]},
    )


def forget_old() -> None:
    """Drop keys past their day."""
    db.session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < now() - KEEP))
