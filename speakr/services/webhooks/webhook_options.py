"""Options of a webhook besides its address and its events: filters, headers, limits and payload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from cryptography.fernet import InvalidToken
from sqlalchemy import literal, select
from sqlalchemy.dialects import postgresql, sqlite

from speakr.db import db
from speakr.domain import headers as header_rules
from speakr.domain.errors import Invalid
from speakr.domain.permissions import Actor
from speakr.domain.webhooks import FLAT_EVENTS, PayloadStyle
from speakr.models import Folder, Tag, Webhook, WebhookSequence
from speakr.services.accounts import memberships
from speakr.services.accounts.sealing import seal, unseal

MASK = "\u2022\u2022\u2022\u2022"
"""Shown instead of a header's value. A client that sends it back keeps the stored value."""

_PLAIN = ("payload", "max_in_flight", "max_per_second", "when_paused")
_FILTERS: Mapping[str, type[Tag | Folder]] = {"tag_ids": Tag, "folder_ids": Folder}


def put(actor: Actor, webhook: Webhook, values: Mapping[str, Any]) -> None:
    """Validate the given options and set them; the API has checked their ranges.

    Raises:
        Invalid: the actor may not use a tag or folder, a header is not allowed, or a flat payload has other events.

    """
    for name, kind in _FILTERS.items():
        if name in values:
            setattr(webhook, name, _usable(actor, kind, values[name] or (), name))
    if "headers" in values:
        webhook.headers_sealed = _sealed(values["headers"] or {}, headers_of(webhook))
    if "ordered" in values:
        webhook.is_ordered = values["ordered"]
    if "payload_keys" in values:
        keys = values["payload_keys"] or {}
        webhook.payload_keys = {key: field.value for key, field in keys.items()} or None
    for name in _PLAIN:
        if name in values:
            setattr(webhook, name, values[name])
    if webhook.payload is PayloadStyle.FLAT:
        _require_flat_events(webhook)


def _require_flat_events(webhook: Webhook) -> None:
    others = sorted(set(webhook.events) - {event.value for event in FLAT_EVENTS})
    if others:
        raise Invalid(
            f"Flat payloads are only for {' and '.join(FLAT_EVENTS)}.",
            errors={"events": [f"have no flat payload: {others}"]},
        )


def start_sequence(webhook: Webhook) -> None:
    """Insert the row in which the dispatcher counts the deliveries of a stored webhook, if it is ordered and has none.

    The dispatcher must not insert it: that would lock the webhook's row after those of deliveries (`row_locks.ORDER`).
    """
    if not webhook.is_ordered:
        return
    dialect: Any = sqlite if db.engine.dialect.name == "sqlite" else postgresql
    row = dialect.insert(WebhookSequence).values(webhook_id=webhook.id, last=0)
    db.session.execute(row.on_conflict_do_nothing())


def start_missing_sequences() -> None:
    """Do so for all webhooks: a process of an older version may have made one ordered during an upgrade."""
    dialect: Any = sqlite if db.engine.dialect.name == "sqlite" else postgresql
    has_none = Webhook.id.not_in(select(WebhookSequence.webhook_id))
    rows = select(Webhook.id, literal(0)).where(Webhook.is_ordered, has_none).order_by(Webhook.id)
    insert = dialect.insert(WebhookSequence).from_select(["webhook_id", "last"], rows)
    db.session.execute(insert.on_conflict_do_nothing())


def _usable(actor: Actor, kind: type[Tag | Folder], ids: Sequence[int], field: str) -> list[int] | None:
    """Return the ids, each once; None for an empty list, which means no filter."""
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return None
    known = set(
        db.session.scalars(select(kind.id).where(kind.id.in_(wanted), memberships.can_use(kind, actor)))
    )
    missing = [f"{kind.__name__} {number} not found" for number in wanted if number not in known]
    if missing:
        raise Invalid(missing[0], errors={field: missing})
    return wanted


def _sealed(headers: Mapping[str, Any], before: Mapping[str, str]) -> str | None:
    by_name = {name.lower(): value for name, value in before.items()}
    kept = {
        name: by_name[name.lower()] if value == MASK and name.lower() in by_name else value
        for name, value in headers.items()
    }
    problems = header_rules.problems(kept)
    problems += [f"{name!r} is only a mask" for name, value in kept.items() if value == MASK]
    if problems:
        raise Invalid(f"headers: {problems[0]}", errors={"headers": problems})
    if not kept:
        return None
    return seal(orjson.dumps({name: value.strip(" \t") for name, value in kept.items()}).decode())


def headers_of(webhook: Webhook) -> dict[str, str]:
    """Return a webhook's own headers; empty if they cannot be decrypted because SPEAKR_SECRET_KEY has changed."""
    if webhook.headers_sealed is None:
        return {}
    try:
        known: dict[str, str] = orjson.loads(unseal(webhook.headers_sealed))
    except InvalidToken:
        return {}
    return known


def masked_headers(webhook: Webhook) -> dict[str, str]:
    """Return a webhook's headers with masked values, because these often contain a password."""
    return dict.fromkeys(headers_of(webhook), MASK)
