"""Which deliveries are due, and claiming them. Called by the dispatcher, of which there is one."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from cryptography.fernet import InvalidToken
from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    bindparam,
    literal_column,
    or_,
    select,
    true,
    type_coerce,
    update,
)
from sqlalchemy.orm import aliased

from speakr.backends import plugged
from speakr.db import UTCDateTime, db
from speakr.domain.clock import now
from speakr.domain.deliveries import DUE_STATUSES
from speakr.models import Delivery, Webhook
from speakr.services.sealing import unseal
from speakr.services.webhooks import ROTATION_OVERLAP

logger = structlog.get_logger(__name__)

_CLAIM_TIMEOUTS = 3
_LONGEST_WORD = 40

IS_OPEN: ColumnElement[bool] = Delivery.status.in_(
    # Written out and not bound: only so do both databases see that the partial index of open deliveries fits.
    [literal_column(f"'{status.value}'") for status in DUE_STATUSES]
)
_MOMENT = bindparam("moment", type_=UTCDateTime())
_MAY_BE_SENT_TO = Webhook.enabled & or_(Webhook.silent_until.is_(None), Webhook.silent_until <= _MOMENT)
_DUE = (
    select(Delivery.id)
    .where(Delivery.webhook_id == Webhook.id, IS_OPEN, Delivery.next_attempt_at <= _MOMENT)
    .order_by(Delivery.next_attempt_at, Delivery.id)
    .correlate(Webhook)
)
"""The due deliveries of the outer query's webhook, oldest first: as they stand in the index."""

_DUE_AND_FREE = _DUE.where(Delivery.claimed_until.is_(None))


@dataclass(frozen=True, slots=True)
class Waiting:
    """A webhook that may be sent to and has something due. `secrets`: the current one, then one rotated out."""

    webhook_id: int
    url: str
    allow_http: bool
    secrets: tuple[str, ...]
    rotated_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """All that is needed to send one delivery once.

    `secrets`: all that are valid now, first the one that was current when the delivery was written.
    `claimed_until` names the claim: an outcome is for the claim that it answers.
    """

    delivery_id: int
    webhook_id: int
    url: str
    allow_http: bool
    secrets: tuple[str, ...]
    event_uuid: str
    event_type: str
    body: bytes
    attempt: int
    claimed_until: datetime


def _with_work() -> Select[Any]:
    since = (
        _DUE_AND_FREE.with_only_columns(Delivery.next_attempt_at).limit(1).scalar_subquery().label("since")
    )
    # Materialized: or the sub-select is evaluated once for the condition and once more for the order.
    heads = select(*_OF_WEBHOOK, since).where(_MAY_BE_SENT_TO).cte("heads").prefix_with("MATERIALIZED")
    return select(heads).where(heads.c.since.is_not(None)).order_by(heads.c.since, heads.c.id)


_OF_WEBHOOK = (
    Webhook.id,
    Webhook.url,
    Webhook.allow_http,
    Webhook.secret_sealed,
    Webhook.previous_secret_sealed,
    Webhook.previous_secret_until,
)
_WITH_WORK = _with_work()


def webhooks_with_work() -> list[Waiting]:
    """Return the webhooks that may be sent to and have something due, the one that waits longest first."""
    if not plugged().settings.webhook_enabled:
        return []
    moment = now()
    found = (_waiting(row, moment) for row in db.session.execute(_WITH_WORK, {"moment": moment}))
    return [waiting for waiting in found if waiting is not None]


def _waiting(row: Any, moment: datetime) -> Waiting | None:
    key = plugged().settings.secret_key
    secret = _unsealed(row.secret_sealed, key)
    if secret is None:
        return None  # its deliveries wait until the secret can be read again
    secrets: tuple[str, ...] = (secret,)
    rotated_at = None
    until = row.previous_secret_until
    if row.previous_secret_sealed and until is not None and until > moment:
        previous = _unsealed(row.previous_secret_sealed, key)
        if previous is not None:
            secrets, rotated_at = (secret, previous), until - ROTATION_OVERLAP
    return Waiting(row.id, row.url, row.allow_http, secrets, rotated_at)


@functools.lru_cache(maxsize=4096)
def _unsealed(sealed: str, _secret_key: str) -> str | None:
    """Read a sealed secret, once: decrypting costs more than sending. None when SPEAKR_SECRET_KEY has changed."""
    try:
        return unseal(sealed)
    except InvalidToken:
        logger.error("webhook_secret_unreadable", hint="Was SPEAKR_SECRET_KEY changed?")  # noqa: TRY400 - no trace helps
        return None


_CLAIM = (
    update(Delivery)
    .where(Delivery.id.in_(bindparam("ids", expanding=True)), Delivery.claimed_until.is_(None))
    .values(claimed_until=bindparam("until"))
    .returning(
        Delivery.id,
        Delivery.webhook_id,
        Delivery.event_uuid,
        # As text: a type that only a newer version knows must not stop the others.
        type_coerce(Delivery.event_type, String(_LONGEST_WORD)).label("event_type"),
        Delivery.body,
        Delivery.attempt_count,
        Delivery.created_at,
    )
    .execution_options(synchronize_session=False)
)


def claim_due(shares: Sequence[tuple[Waiting, int]]) -> list[Dispatch]:
    """Claim due deliveries: of each webhook at most its share, oldest first."""
    moment = now()
    by_count: dict[int, list[int]] = defaultdict(list)
    for waiting, count in shares:
        by_count[count].append(waiting.webhook_id)
    ids = [
        delivery_id
        for count, webhook_ids in by_count.items()
        for delivery_id in db.session.scalars(
            _oldest_of_each(count, db.engine.dialect.name), {"webhook_ids": webhook_ids, "moment": moment}
        )
    ]
    if not ids:
        return []
    until = moment + timedelta(seconds=_CLAIM_TIMEOUTS * plugged().settings.webhook_timeout_seconds)
    rows = {row.id: row for row in db.session.execute(_CLAIM, {"ids": ids, "until": until})}
    webhooks = {waiting.webhook_id: waiting for waiting, _ in shares}
    return [_dispatch(webhooks[rows[each].webhook_id], rows[each], until) for each in ids if each in rows]


@functools.cache
def _oldest_of_each(count: int, dialect: str) -> Select[Any]:
    """Select the `count` longest due deliveries of each of some webhooks, looking at no others."""
    heads = _DUE_AND_FREE.limit(count)
    chosen = Webhook.id.in_(bindparam("webhook_ids", expanding=True))
    if dialect == "postgresql":
        head = heads.with_for_update(skip_locked=True).lateral()
        return select(head.c.id).select_from(Webhook).join(head, true()).where(chosen, Webhook.enabled)
    picked = aliased(Delivery)  # SQLite has no lateral joins
    joined = select(picked.id).select_from(Webhook).join(picked, picked.id.in_(heads))
    return joined.where(chosen, Webhook.enabled)


def _dispatch(waiting: Waiting, row: Any, until: datetime) -> Dispatch:
    secrets = waiting.secrets
    if waiting.rotated_at is not None and row.created_at < waiting.rotated_at:
        # `Speakr-Signature` has room for one: what was written under the old secret stays signed with it.
        secrets = secrets[::-1]
    return Dispatch(
        delivery_id=row.id,
        webhook_id=row.webhook_id,
        url=waiting.url,
        allow_http=waiting.allow_http,
        secrets=secrets,
        event_uuid=row.event_uuid,
        event_type=row.event_type,
        body=row.body.encode(),
        attempt=row.attempt_count + 1,
        claimed_until=until,
    )


def unclaim_all(*, but: Collection[int] = ()) -> None:
    """Take back every claim, except on these deliveries. Only the one dispatcher may say this."""
    db.session.execute(
        update(Delivery)
        .where(IS_OPEN, Delivery.claimed_until.is_not(None), Delivery.id.not_in(but))
        .values(claimed_until=None)
        .execution_options(synchronize_session=False)
    )


_OLDEST_DUE = (
    select(_DUE.with_only_columns(Delivery.next_attempt_at).limit(1).scalar_subquery())
    .select_from(Webhook)
    .where(_MAY_BE_SENT_TO)
)


def oldest_due_seconds() -> float:
    """Return for how long the oldest sendable delivery has been due; 0 when nothing is."""
    moment = now()
    since = [due for due in db.session.scalars(_OLDEST_DUE, {"moment": moment}) if due is not None]
    return (moment - min(since)).total_seconds() if since else 0.0
