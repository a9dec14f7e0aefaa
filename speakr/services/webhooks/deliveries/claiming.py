"""Find and claim due deliveries. Only the dispatcher calls this, and there is only one."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
import structlog
from cryptography.fernet import InvalidToken
from sqlalchemy import (
    Executable,
    Select,
    String,
    bindparam,
    case,
    or_,
    select,
    true,
    type_coerce,
    update,
)
from sqlalchemy.orm import aliased

from speakr.backends import get_backends
from speakr.db import UTCDateTime, db
from speakr.domain.clock import now
from speakr.domain.deliveries import IMMEDIATE
from speakr.models import Delivery, Webhook, WebhookSequence
from speakr.services.accounts.sealing import unseal
from speakr.services.webhooks.account_webhooks import MAX_ATTEMPTS
from speakr.services.webhooks.deliveries.states import IS_OPEN, has_id
from speakr.services.webhooks.webhooks import ROTATION_OVERLAP

logger = structlog.get_logger(__name__)

_CLAIM_TIMEOUTS = 3
_MAX_WORD_LENGTH = 40

_MOMENT = bindparam("moment", type_=UTCDateTime())
_IMMEDIATE = bindparam("first_of_all", IMMEDIATE, type_=UTCDateTime())
_MAY_BE_SENT_TO = Webhook.enabled & or_(Webhook.silent_until.is_(None), Webhook.silent_until <= _MOMENT)
_IS_FREE = Delivery.claimed_until.is_(None)
_OF_WEBHOOK = Delivery.webhook_id == Webhook.id
_URGENT = (
    select(Delivery.id)
    .where(_OF_WEBHOOK, IS_OPEN, Delivery.next_attempt_at == _IMMEDIATE, _IS_FREE)
    .order_by(Delivery.id)
    .correlate(Webhook)
)
"""Deliveries that a user waits for at a screen. They are at the head of the index, however many are due."""

_QUEUED = _OF_WEBHOOK & IS_OPEN & (Delivery.next_attempt_at > _IMMEDIATE)
_DUE = (
    select(Delivery.id)
    .where(_QUEUED, Delivery.next_attempt_at <= _MOMENT)
    .order_by(Delivery.next_attempt_at, Delivery.id)
    .correlate(Webhook)
)
"""The due deliveries of the outer query's webhook, oldest first, in the order of the index."""

_DUE_AND_FREE = _DUE.where(_IS_FREE)
_FIRST_OPEN = select(Delivery.id).where(_QUEUED).order_by(Delivery.id).limit(1).correlate(Webhook)
"""The only delivery that an ordered webhook may get next, as soon as it is due."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A webhook that may be sent to and has a due delivery. `secrets`: the current one, then the one rotated out."""

    webhook_id: int
    url: str
    allow_http: bool
    secrets: tuple[str, ...]
    rotated_at: datetime | None
    headers: tuple[tuple[str, str], ...] = ()
    is_ordered: bool = False
    max_in_flight: int | None = None
    max_per_second: int | None = None
    max_attempts: int | None = None
    has_due: bool = True
    has_urgent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """All data for one attempt at a delivery.

    `secrets`: all that are valid now, first the one that was current when the delivery was written.
    `claimed_until` identifies the claim, so that an outcome applies only to its own claim.
    """

    delivery_id: int
    webhook_id: int
    url: str
    allow_http: bool
    secrets: tuple[str, ...]
    headers: tuple[tuple[str, str], ...] = ()
    max_per_second: int | None = None
    max_attempts: int | None = None
    """Attempts before giving up; None for the server's own number."""
    event_uuid: str
    event_type: str
    body: bytes
    attempt: int
    sequence: int | None = None
    """The number that an ordered webhook shows."""
    waited_seconds: float = 0.0
    """Seconds from the due time to the claim."""

    claimed_until: datetime


def _with_work() -> Select[Any]:
    moment_due = Delivery.next_attempt_at
    oldest = _DUE_AND_FREE.with_only_columns(moment_due).limit(1).scalar_subquery()
    first = _FIRST_OPEN.with_only_columns(
        case((_IS_FREE & (moment_due <= _MOMENT), moment_due))
    ).scalar_subquery()
    since = case((Webhook.is_ordered, first), else_=oldest).label("since")
    urgent = _URGENT.limit(1).scalar_subquery().label("urgent")
    # Materialized: otherwise each subquery runs once for the condition and again for the order.
    heads = select(*_COLUMNS, since, urgent).where(_MAY_BE_SENT_TO).cte("heads").prefix_with("MATERIALIZED")
    has_work = heads.c.since.is_not(None) | heads.c.urgent.is_not(None)
    return select(heads).where(has_work).order_by(heads.c.since, heads.c.id)


_COLUMNS = (
    Webhook.id,
    Webhook.url,
    Webhook.allow_http,
    Webhook.secret_sealed,
    Webhook.previous_secret_sealed,
    Webhook.previous_secret_until,
    Webhook.headers_sealed,
    Webhook.is_ordered,
    Webhook.max_in_flight,
    Webhook.max_per_second,
    Webhook.preference,
)
_WITH_WORK = _with_work()


def webhooks_with_work() -> list[Waiting]:
    """Return the webhooks that may be sent to and have a due delivery, the one that has waited longest first."""
    if not get_backends().settings.webhook_enabled:
        return []
    moment = now()
    found = (_waiting(row, moment) for row in db.session.execute(_WITH_WORK, {"moment": moment}))
    return [waiting for waiting in found if waiting is not None]


def _waiting(row: Any, moment: datetime) -> Waiting | None:
    key = get_backends().settings.secret_key
    secret = _unsealed(row.secret_sealed, key)
    headers = _headers(row.headers_sealed, key) if row.headers_sealed else ()
    if secret is None or headers is None:
        return None  # its deliveries wait until the secret is readable again
    secrets: tuple[str, ...] = (secret,)
    rotated_at = None
    until = row.previous_secret_until
    if row.previous_secret_sealed and until is not None and until > moment:
        previous = _unsealed(row.previous_secret_sealed, key)
        if previous is not None:
            secrets, rotated_at = (secret, previous), until - ROTATION_OVERLAP
    return Waiting(
        row.id,
        row.url,
        row.allow_http,
        secrets,
        rotated_at,
        headers,
        is_ordered=row.is_ordered,
        max_in_flight=row.max_in_flight,
        max_per_second=row.max_per_second,
        max_attempts=None if row.preference is None else MAX_ATTEMPTS,
        has_due=row.since is not None,
        has_urgent=row.urgent is not None,
    )


@functools.lru_cache(maxsize=4096)
def _unsealed(sealed: str, _secret_key: str) -> str | None:
    """Decrypt a secret, once: decrypting costs more than sending. Return None when SPEAKR_SECRET_KEY has changed."""
    try:
        return unseal(sealed)
    except InvalidToken:
        logger.error("webhook_secret_unreadable", hint="Was SPEAKR_SECRET_KEY changed?")  # noqa: TRY400 - no trace helps
        return None


@functools.lru_cache(maxsize=4096)
def _headers(sealed: str, secret_key: str) -> tuple[tuple[str, str], ...] | None:
    """Decrypt a webhook's own headers, once. Return None on failure: the receiver may refuse a request without them."""
    text = _unsealed(sealed, secret_key)
    return None if text is None else tuple(orjson.loads(text).items())


_HAS_NO_NUMBER = Delivery.sequence.is_(None) & (Delivery.next_attempt_at != IMMEDIATE)


@functools.cache
def _claim(dialect: str, *, is_numbering: bool) -> Executable:
    """Return the statement that claims `ids` until `until` and, if asked to, numbers those to the webhooks `counted`."""
    # One statement for both: PostgreSQL locks the webhook when a transaction changes a delivery for the second time, and
    # would wait for a change of the webhook.
    last = select(WebhookSequence.last).where(WebhookSequence.webhook_id == Delivery.webhook_id)
    is_counted = Delivery.webhook_id.in_(bindparam("counted", expanding=True)) & _HAS_NO_NUMBER
    return (
        update(Delivery)
        .where(has_id(dialect), _IS_FREE, IS_OPEN)
        .values(
            claimed_until=bindparam("until"),
            sequence=case((is_counted, last.scalar_subquery()), else_=Delivery.sequence)
            if is_numbering
            else Delivery.sequence,
        )
        .returning(
            Delivery.id,
            Delivery.webhook_id,
            Delivery.event_uuid,
            # As text: a type that only a newer version knows must not block other deliveries.
            type_coerce(Delivery.event_type, String(_MAX_WORD_LENGTH)).label("event_type"),
            Delivery.body,
            Delivery.attempt_count,
            Delivery.sequence,
            Delivery.next_attempt_at,
            Delivery.created_at,
        )
        .execution_options(synchronize_session=False)
    )


def claim_due(shares: Sequence[tuple[Waiting, int]], urgent: Sequence[Waiting] = ()) -> list[Dispatch]:
    """Claim one urgent delivery of each webhook in `urgent`, and up to the share of each in `shares`, oldest first."""
    moment = now()
    dialect = db.engine.dialect.name
    wanted: dict[Select[Any], list[int]] = defaultdict(list)
    for waiting in urgent:
        wanted[_urgent_of_each(dialect)].append(waiting.webhook_id)
    for waiting, count in shares:
        query = _FIRST_OF_EACH if waiting.is_ordered else _oldest_of_each(count, dialect)
        wanted[query].append(waiting.webhook_id)
    found = {
        query: db.session.scalars(query, {"webhook_ids": webhook_ids, "moment": moment}).all()
        for query, webhook_ids in wanted.items()
    }
    ids = [delivery_id for some in found.values() for delivery_id in some]
    if not ids:
        return []
    counted = _count(found.get(_FIRST_OF_EACH, ()))
    until = moment + timedelta(seconds=_CLAIM_TIMEOUTS * get_backends().settings.webhook_timeout_seconds)
    values = {"ids": ids, "until": until, **({"counted": counted} if counted else {})}
    claimed = db.session.execute(_claim(dialect, is_numbering=bool(counted)), values)
    rows = {row.id: row for row in claimed}
    webhooks = {waiting.webhook_id: waiting for waiting in (*urgent, *(waiting for waiting, _ in shares))}
    return [
        _dispatch(webhooks[rows[each].webhook_id], rows[each], moment, until) for each in ids if each in rows
    ]


def _count(delivery_ids: Sequence[int]) -> Sequence[int]:
    """Count one delivery more for each webhook of these, locked, ordered deliveries that has no number yet; return the webhooks."""
    if not delivery_ids:
        return []
    unnumbered = select(Delivery.webhook_id).where(Delivery.id.in_(delivery_ids), _HAS_NO_NUMBER)
    # The rows were inserted when the webhooks became ordered: see `webhook_options.start_sequence`.
    return db.session.scalars(
        update(WebhookSequence)
        .where(WebhookSequence.webhook_id.in_(unnumbered))
        .values(last=WebhookSequence.last + 1)
        .returning(WebhookSequence.webhook_id),
        execution_options={"synchronize_session": False},
    ).all()


_CHOSEN = Webhook.id.in_(bindparam("webhook_ids", expanding=True)) & Webhook.enabled


@functools.cache
def _urgent_of_each(dialect: str) -> Select[Any]:
    return _of_each(_URGENT.limit(1), dialect)


@functools.cache
def _oldest_of_each(count: int, dialect: str) -> Select[Any]:
    """Select the `count` oldest due deliveries of each of the given webhooks, reading no others."""
    return _of_each(_DUE_AND_FREE.limit(count), dialect)


def _of_each(heads: Select[Any], dialect: str) -> Select[Any]:
    if dialect == "postgresql":
        head = heads.with_for_update(skip_locked=True).lateral()
        return select(head.c.id).select_from(Webhook).join(head, true()).where(_CHOSEN)
    picked = aliased(Delivery)  # SQLite has no lateral joins
    return select(picked.id).select_from(Webhook).join(picked, picked.id.in_(heads)).where(_CHOSEN)


def _first_of_each() -> Select[Any]:
    """Select the first open delivery of each of the given webhooks, if it is unclaimed and due.

    It is selected before it is locked: if another transaction has locked it, the second one must not be sent first.
    """
    first = aliased(Delivery)
    return (
        select(first.id)
        .select_from(Webhook)
        .join(first, first.id == _FIRST_OPEN.scalar_subquery())
        .where(_CHOSEN, first.claimed_until.is_(None), first.next_attempt_at <= _MOMENT)
        .with_for_update(of=first, skip_locked=True)
    )


_FIRST_OF_EACH = _first_of_each()


def _dispatch(waiting: Waiting, row: Any, moment: datetime, until: datetime) -> Dispatch:
    secrets = waiting.secrets
    if waiting.rotated_at is not None and row.created_at < waiting.rotated_at:
        # `Speakr-Signature` has room for one signature: a delivery written under the old secret stays signed with it.
        secrets = secrets[::-1]
    return Dispatch(
        delivery_id=row.id,
        webhook_id=row.webhook_id,
        url=waiting.url,
        allow_http=waiting.allow_http,
        secrets=secrets,
        headers=waiting.headers,
        max_per_second=waiting.max_per_second,
        max_attempts=waiting.max_attempts,
        event_uuid=row.event_uuid,
        event_type=row.event_type,
        body=row.body.encode(),
        attempt=row.attempt_count + 1,
        sequence=row.sequence,
        waited_seconds=max(0.0, (moment - max(row.next_attempt_at, row.created_at)).total_seconds()),
        claimed_until=until,
    )


def unclaim_all(*, but: Collection[int] = ()) -> None:
    """Release all claims except on these deliveries. Only the dispatcher may call this."""
    db.session.execute(
        update(Delivery)
        .where(IS_OPEN, Delivery.claimed_until.is_not(None), Delivery.id.not_in(but))
        .values(claimed_until=None)
        .execution_options(synchronize_session=False)
    )


_OLDEST_DUE = select(
    case(
        (
            Webhook.is_ordered,
            _FIRST_OPEN.with_only_columns(
                case((Delivery.next_attempt_at <= _MOMENT, Delivery.next_attempt_at))
            ).scalar_subquery(),
        ),
        else_=_DUE.with_only_columns(Delivery.next_attempt_at).limit(1).scalar_subquery(),
    ).label("due_at"),
    Webhook.last_delivery_at,
    Webhook.silent_until,
    Webhook.updated_at,
).where(_MAY_BE_SENT_TO)


def oldest_due_seconds() -> float:
    """Return the seconds for which the oldest sendable delivery has been due; 0 if none is."""
    return _longest(lambda row: row.due_at)


def starved_seconds() -> float:
    """Return the seconds for which a webhook has had a due delivery while nothing was sent to it; 0 if there is none.

    A webhook with many waiting deliveries because it answers slowly or has a low rate limit does not count.
    """
    return _longest(
        lambda row: max(filter(None, (row.due_at, row.last_delivery_at, row.silent_until, row.updated_at)))
    )


def _longest(since: Callable[[Any], datetime]) -> float:
    moment = now()
    rows = db.session.execute(_OLDEST_DUE, {"moment": moment})
    return max(((moment - since(row)).total_seconds() for row in rows if row.due_at is not None), default=0.0)
