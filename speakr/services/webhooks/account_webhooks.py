"""Account webhooks: webhooks whose address is a preference. API families declare their names and the keys of their payload.

The webhook's row is the only place of the address, so deleting the webhook clears the preference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select

from speakr.db import db
from speakr.domain.errors import Forbidden, Invalid
from speakr.domain.events import EventType
from speakr.domain.permissions import Actor, Scope
from speakr.domain.signatures import new_secret
from speakr.domain.webhooks import AccountWebhook, PayloadStyle, WhenPaused
from speakr.models import Webhook
from speakr.services.accounts.sealing import seal
from speakr.services.webhooks import webhooks

MAX_ATTEMPTS = 3
"""Attempts at one delivery to an account webhook."""


@dataclass(frozen=True, slots=True)
class Target:
    """An address that has passed the checks; None removes the webhook."""

    webhook: AccountWebhook
    url: str | None
    allow_http: bool = False


def check(actor: Actor, known: Mapping[str, AccountWebhook], urls: Mapping[str, str | None]) -> list[Target]:
    """Check new addresses by preference. This resolves names, so call it outside a transaction.

    Plain HTTP is accepted only to hosts that the operator has opened: payloads contain whole transcripts.

    Raises:
        Forbidden: the credential lacks the scope `webhooks`.
        Invalid: an address may not be called.

    """
    if urls and not actor.may(Scope.WEBHOOKS):
        raise Forbidden(f"This token lacks the scope '{Scope.WEBHOOKS}'.", code="scope_missing")
    return [_target(actor, known[name], webhooks.trimmed(url or "")) for name, url in urls.items()]


def _target(actor: Actor, webhook: AccountWebhook, url: str) -> Target:
    if not url:
        return Target(webhook, None)
    allow_http = webhooks.is_opened_http(url)
    try:
        webhooks.check_target(actor, url, allow_http=allow_http)
    except Invalid as error:
        name = f"preferences.{webhook.preference}"
        raise Invalid(error.message, code=error.slug, errors={name: [error.message]}) from None
    return Target(webhook, url, allow_http)


def put(actor: Actor, targets: Iterable[Target]) -> None:
    """Create, change or delete the webhooks of checked addresses. The caller has locked the user's row.

    A new address enables a webhook that was paused or disabled. The webhook does not count towards the user's limit.
    """
    for target in targets:
        webhook = _of(actor, target.webhook.preference)
        if target.url is None:
            if webhook is not None:
                webhooks.delete(actor, webhook.id)
        elif webhook is None:
            db.session.add(_new(actor, target, target.url))
        else:
            changes = {"url": target.url, "allow_http": target.allow_http, "enabled": True}
            webhooks.update(actor, webhook.id, changes)
    db.session.flush()  # so that the answer shows them


def urls_of(actor: Actor, known: Iterable[str]) -> dict[str, str | None]:
    """Return the addresses of the actor's account webhooks by preference; empty without the scope `webhooks`."""
    if not actor.may(Scope.WEBHOOKS):
        return {}
    rows = db.session.execute(
        select(Webhook.preference, Webhook.url).where(
            Webhook.user_id == actor.user_id, Webhook.preference.is_not(None)
        )
    )
    found = {row.preference: row.url for row in rows}
    return {name: found.get(name) for name in known}


def _of(actor: Actor, preference: str) -> Webhook | None:
    return db.session.scalar(
        select(Webhook).where(Webhook.user_id == actor.user_id, Webhook.preference == preference)
    )


def _new(actor: Actor, target: Target, url: str) -> Webhook:
    return Webhook(
        user_id=actor.user_id,
        name=target.webhook.preference,
        url=url,
        allow_http=target.allow_http,
        events=[EventType.TRANSCRIPTION_COMPLETED.value],
        payload=PayloadStyle.FLAT,
        payload_keys={key: field.value for key, field in target.webhook.keys.items()},
        preference=target.webhook.preference,
        when_paused=WhenPaused.DROP,
        secret_sealed=seal(new_secret()),
    )
