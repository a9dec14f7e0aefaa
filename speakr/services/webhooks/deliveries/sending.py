"""Record the outcomes of attempts and pause failing webhooks. Only the dispatcher calls this, and there is only one."""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Executable, Table, bindparam, func, or_, select, update

from speakr.backends import get_backends
from speakr.db import db
from speakr.domain.clock import now
from speakr.domain.deliveries import DUE_STATUSES, DeliveryStatus, Verdict
from speakr.domain.notices import NoticeKind
from speakr.domain.webhooks import WhenPaused
from speakr.models import Delivery, Webhook
from speakr.services.accounts import notices
from speakr.services.webhooks.deliveries.states import IS_OPEN, has_id

logger = structlog.get_logger(__name__)

_MAX_PREVIEW_LENGTH = 2_000
_MAX_ERROR_LENGTH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptResult:
    """The result of one attempt. `retry_in_seconds` comes from the schedule; None after its last step."""

    delivery_id: int
    webhook_id: int
    claimed_until: datetime
    verdict: Verdict
    response_status: int | None = None
    preview: str | None = None
    error: str | None = None
    duration_ms: int | None = None
    is_test: bool = False
    """A failed test only answers its request and does not count as a failure of the webhook."""

    retry_in_seconds: float | None = None
    silent_seconds: float | None = None
    """Seconds for which the receiver asked for a pause."""


@dataclass(slots=True)
class _WebhookState:
    """The state of a webhook, to which a batch of outcomes is applied."""

    webhook_id: int
    user_id: int
    name: str
    when_paused: WhenPaused
    enabled: bool
    auto_paused: bool
    pause_reason: str | None
    paused_at: datetime | None
    consecutive_failures: int
    silent_until: datetime | None


_WEBHOOKS: Table = Webhook.__table__  # type: ignore[assignment] # a mapped class's table is a Table
_DELIVERIES: Table = Delivery.__table__  # type: ignore[assignment] # as above

_LOCK_WEBHOOKS = (
    select(
        Webhook.id,
        Webhook.user_id,
        Webhook.name,
        Webhook.when_paused,
        Webhook.enabled,
        Webhook.auto_paused,
        Webhook.pause_reason,
        Webhook.paused_at,
        Webhook.consecutive_failures,
        Webhook.silent_until,
    )
    .where(Webhook.id.in_(bindparam("ids", expanding=True)))
    .order_by(Webhook.id)
    # FOR NO KEY UPDATE: inserting deliveries of a webhook and this lock do not block each other.
    .with_for_update(key_share=True, skip_locked=True)
)
_EXISTING_WEBHOOKS = select(Webhook.id).where(Webhook.id.in_(bindparam("ids", expanding=True)))
_IS_UNSETTLED = or_(IS_OPEN, Delivery.claimed_until.is_not(None))
"""Includes deliveries that their owner cancelled while they were being sent: they may have arrived."""

_SETTLE = (
    update(_DELIVERIES)
    .where(_DELIVERIES.c.id == bindparam("settled_id"), _IS_UNSETTLED)
    .values(
        claimed_until=None,
        attempt_count=_DELIVERIES.c.attempt_count + bindparam("attempts"),
        status=func.coalesce(bindparam("status", type_=_DELIVERIES.c.status.type), _DELIVERIES.c.status),
        next_attempt_at=bindparam("next_attempt_at"),
        delivered_at=bindparam("delivered_at"),
        duration_ms=bindparam("duration_ms"),
        response_status=bindparam("response_status"),
        response_body_preview=bindparam("response_body_preview"),
        error_message=bindparam("error_message"),
    )
)
_UPDATE_WEBHOOKS = (
    update(_WEBHOOKS)
    .where(_WEBHOOKS.c.id == bindparam("updated_id"))
    .values(
        enabled=bindparam("enabled"),
        auto_paused=bindparam("auto_paused"),
        pause_reason=bindparam("pause_reason"),
        paused_at=bindparam("paused_at"),
        consecutive_failures=bindparam("consecutive_failures"),
        silent_until=bindparam("silent_until"),
        last_delivery_at=bindparam("last_delivery_at"),
    )
)


def settle(outcomes: Sequence[AttemptResult]) -> set[int]:
    """Store the outcomes of attempts; return the ids of the deliveries that need no further call.

    This counts the attempts, so one that a crash interrupted does not count. Outcomes of webhooks that another
    transaction has locked are left out, so that nothing waits for that lock; the caller tries them again.
    """
    states, busy = _lock_webhooks({outcome.webhook_id for outcome in outcomes})
    rows = db.session.execute(
        _claims(db.engine.dialect.name), {"ids": [outcome.delivery_id for outcome in outcomes]}
    )
    claims = {row.id: row.claimed_until if row.status in DUE_STATUSES else None for row in rows}
    moment = now()
    changes: list[dict[str, Any]] = []
    touched: dict[int, _WebhookState] = {}
    done: set[int] = set()
    for outcome in outcomes:
        if outcome.webhook_id in busy:
            continue
        done.add(outcome.delivery_id)
        state = states.get(outcome.webhook_id)
        if state is None or outcome.delivery_id not in claims:
            continue
        # A failure counts only for its own claim: otherwise a dispatcher that was replaced would use up attempts of its
        # successor. It does not count after the owner cancelled the delivery. A success always counts.
        is_own = claims[outcome.delivery_id] == outcome.claimed_until
        if is_own or outcome.verdict is Verdict.DELIVERED:
            del claims[outcome.delivery_id]
            changes.append(_change(outcome, moment))
            _count(state, outcome, moment)
            touched[state.webhook_id] = state
    _write(changes, touched.values(), moment)
    return done


@functools.cache
def _claims(dialect: str) -> Executable:
    return select(Delivery.id, Delivery.claimed_until, Delivery.status).where(has_id(dialect), _IS_UNSETTLED)


def _write(changes: Sequence[dict[str, Any]], states: Collection[_WebhookState], moment: datetime) -> None:
    if not changes:
        return
    connection = db.session.connection()
    connection.execute(_SETTLE, changes)
    connection.execute(
        _UPDATE_WEBHOOKS,
        [
            {
                "updated_id": state.webhook_id,
                "enabled": state.enabled,
                "auto_paused": state.auto_paused,
                "pause_reason": state.pause_reason,
                "paused_at": state.paused_at,
                "consecutive_failures": state.consecutive_failures,
                "silent_until": state.silent_until,
                "last_delivery_at": moment,
            }
            for state in states
        ],
    )


def _lock_webhooks(ids: set[int]) -> tuple[dict[int, _WebhookState], set[int]]:
    """Lock these webhooks; return their state, and the ids of those that another transaction has locked."""
    rows = db.session.execute(_LOCK_WEBHOOKS, {"ids": sorted(ids)})
    locked = {row[0]: _WebhookState(*list(row)) for row in rows}
    if len(locked) == len(ids):
        return locked, set()
    existing = set(db.session.scalars(_EXISTING_WEBHOOKS, {"ids": sorted(ids)}))
    return locked, existing - locked.keys()


def _change(outcome: AttemptResult, moment: datetime) -> dict[str, Any]:
    status: DeliveryStatus | None = DeliveryStatus.PERMANENT_FAILURE
    next_attempt_at = None
    if outcome.verdict is Verdict.DELIVERED:
        status = DeliveryStatus.SUCCESS
    elif outcome.verdict in {Verdict.RETRY, Verdict.NOT_SENT} and outcome.retry_in_seconds is not None:
        status = DeliveryStatus.FAILED if outcome.verdict is Verdict.RETRY else None
        next_attempt_at = moment + timedelta(seconds=outcome.retry_in_seconds)
    return {
        "settled_id": outcome.delivery_id,
        "attempts": 0 if outcome.verdict is Verdict.NOT_SENT else 1,
        "status": status,
        "next_attempt_at": next_attempt_at,
        "delivered_at": moment if status is DeliveryStatus.SUCCESS else None,
        "duration_ms": outcome.duration_ms,
        "response_status": outcome.response_status,
        "response_body_preview": storable(outcome.preview, _MAX_PREVIEW_LENGTH),
        "error_message": storable(outcome.error, _MAX_ERROR_LENGTH),
    }


def _count(state: _WebhookState, outcome: AttemptResult, moment: datetime) -> None:
    """Apply an outcome to the state of its webhook."""
    if outcome.silent_seconds:
        asked = moment + timedelta(seconds=outcome.silent_seconds)
        state.silent_until = max(state.silent_until or asked, asked)
    if outcome.verdict is Verdict.NOT_SENT:
        return
    if outcome.verdict is Verdict.DELIVERED:
        state.consecutive_failures = 0
    elif outcome.verdict is not Verdict.RETRY or outcome.retry_in_seconds is None:
        state.consecutive_failures += not outcome.is_test
        if outcome.verdict is Verdict.GONE:
            _pause(state, "The receiver answered 410 Gone.", moment)
        elif state.consecutive_failures >= get_backends().settings.webhook_autopause_failures:
            _pause(state, f"{state.consecutive_failures} deliveries in a row have failed.", moment)


_MEANWHILE = {
    WhenPaused.HOLD: "New events are kept and sent once you enable it.",
    WhenPaused.DROP: "New events are discarded until you enable it.",
}


def _pause(state: _WebhookState, reason: str, moment: datetime) -> None:
    if not state.enabled:
        return  # already paused, or disabled by its owner
    state.enabled, state.auto_paused, state.pause_reason, state.paused_at = False, True, reason, moment
    text = f"Your webhook \u201c{state.name}\u201d is paused. {reason} {_MEANWHILE[state.when_paused]}"
    notices.record(state.user_id, NoticeKind.WEBHOOK_PAUSED, text, state.webhook_id)
    logger.warning("webhook_paused", webhook_id=state.webhook_id, reason=reason)


def storable(text: str | None, longest: int) -> str | None:
    """Make foreign text storable: no NUL, which PostgreSQL rejects, no lone surrogates, at most `longest` characters."""
    if text is None:
        return None
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")[:longest]
