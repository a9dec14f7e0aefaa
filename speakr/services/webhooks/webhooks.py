"""Webhooks: create, read, change and delete them for their owners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy import update as update_rows

from speakr.backends import get_backends
from speakr.db import after_commit, db, unit_of_work
from speakr.domain.clock import now
from speakr.domain.errors import Conflict, Invalid, NotFound
from speakr.domain.events import EventType, WebhookTest
from speakr.domain.paging import Part, Window
from speakr.domain.permissions import Actor
from speakr.domain.signatures import new_secret, standard_secret
from speakr.domain.webhooks import WhenPaused
from speakr.egress import AddressRefused, AllowList, NameNotResolved, check_url
from speakr.egress.addresses import closed
from speakr.egress.guard import without_reason
from speakr.models import Delivery, User, Webhook
from speakr.services import paging
from speakr.services.accounts.sealing import seal
from speakr.services.system import system_settings
from speakr.services.webhooks import events as facts
from speakr.services.webhooks import webhook_options
from speakr.services.webhooks.deliveries import waiting

__all__ = [
    "ROTATION_OVERLAP",
    "change",
    "check_form",
    "check_target",
    "create",
    "delete",
    "erase_old_secrets",
    "get",
    "is_opened_http",
    "list_page",
    "lock_row",
    "rotate_secret",
    "send_test",
    "standard_secret",
    "trimmed",
    "update",
]

_MAX_NAME_LENGTH = 100
_MAX_URL_LENGTH = 500
_MAX_REPORTED = 10
"""Unknown events that an error lists."""
ROTATION_OVERLAP = timedelta(hours=24)
"""Time for which deliveries are signed with both the old and the new secret."""


def list_page(actor: Actor, window: Window | None = None) -> Part[Webhook]:
    """List the actor's webhooks, newest first."""
    query = select(Webhook).where(Webhook.user_id == actor.user_id).order_by(Webhook.id.desc())
    return paging.objects(query, window)


def get(actor: Actor, webhook_id: int) -> Webhook:
    """Load one of the actor's webhooks."""
    webhook = db.session.get(Webhook, webhook_id)
    if webhook is None or webhook.user_id != actor.user_id:
        raise NotFound("Webhook not found")
    return webhook


def lock_row(actor: Actor, webhook_id: int) -> Webhook:
    """Load one of the actor's webhooks and lock its row until the unit of work ends."""
    webhook = db.session.scalar(
        select(Webhook)
        .where(Webhook.id == webhook_id, Webhook.user_id == actor.user_id)
        # `FOR NO KEY UPDATE`: other transactions may still insert and delete deliveries meanwhile.
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if webhook is None:
        raise NotFound("Webhook not found")
    return webhook


def trimmed(url: str) -> str:
    """Return an address without spaces and line ends around it. Other control characters stay, and are refused."""
    return url.strip(" \t\r\n")


def check_target(actor: Actor, url: str, *, allow_http: bool) -> None:
    """Refuse an address that webhooks may not reach. This resolves a name, so call it outside a transaction.

    Only administrators get the reason: others could ask which hosts the network of the server has.
    """
    allowed = AllowList.parse(get_backends().settings.webhook_allowed_hosts)
    try:
        check_url(url, allow_http=allow_http, allow_list=allowed)
    except (AddressRefused, NameNotResolved) as error:
        if actor.acts_as_admin:
            raise
        raise without_reason(error) from None


def is_opened_http(url: str) -> bool:
    """Tell whether an address is plain HTTP to a host that is not public and that the operator has opened."""
    allowed = AllowList.parse(get_backends().settings.webhook_allowed_hosts)
    if not url.lower().startswith("http://"):
        return False
    try:
        found = check_url(url, allow_http=True, allow_list=allowed)
    except Invalid:
        return False
    return all(closed(address) is not None for address in found.addresses)


def _checked_events(wanted: Sequence[Any]) -> list[str]:
    if not wanted:
        raise Invalid("events must be a non-empty list", errors={"events": ["must not be empty"]})
    known = {event.value for event in EventType}
    unknown = [str(name)[:_MAX_NAME_LENGTH] for name in wanted if name not in known][:_MAX_REPORTED]
    if unknown:
        raise Invalid(
            f"unknown event types: {unknown}",
            code="unknown_event",
            errors={"events": [f"unknown: {unknown}"]},
            allowed=[event.value for event in EventType],
        )
    return list(dict.fromkeys(str(name) for name in wanted))


def _checked_name(name: str) -> str:
    if not name.strip():
        raise Invalid("name is required", errors={"name": ["must not be empty"]})
    return name.strip()[:_MAX_NAME_LENGTH]


def check_form(form: Mapping[str, Any]) -> None:
    """Check a new webhook in the documented order: name, url, events."""
    _checked_name(form.get("name") or "")
    if not (form.get("url") or "").strip():
        raise Invalid("url is required", errors={"url": ["must not be empty"]})
    _checked_events(form.get("events") or [])
    if len(trimmed(form["url"])) > _MAX_URL_LENGTH:
        raise Invalid("url is too long", errors={"url": [f"has at most {_MAX_URL_LENGTH} characters"]})


def create(
    actor: Actor,
    *,
    name: str,
    url: str,
    events: Sequence[str],
    allow_http: bool = False,
    enabled: bool = True,
    **options: Any,
) -> tuple[Webhook, str]:
    """Create a webhook whose address has passed `check_target`; return it with its secret, which is shown only now."""
    # Lock the user's row, so that concurrent requests cannot exceed the limit together.
    db.session.scalar(select(User.id).where(User.id == actor.user_id).with_for_update(key_share=True))
    limit = system_settings.get("webhook_max_per_user")
    have = (
        db.session.scalar(
            select(func.count()).where(Webhook.user_id == actor.user_id, Webhook.preference.is_(None))
        )
        or 0
    )
    if have >= limit:
        raise Conflict(
            f"Per-user webhook cap reached ({have}/{limit})", code="webhook_cap", max_per_user=limit
        )
    secret = new_secret()
    webhook = Webhook(
        user_id=actor.user_id,
        name=_checked_name(name),
        url=trimmed(url),
        allow_http=allow_http,
        enabled=enabled,
        events=_checked_events(events),
        secret_sealed=seal(secret),
    )
    webhook_options.put(actor, webhook, options)
    db.session.add(webhook)
    db.session.flush()  # to know webhook.id
    webhook_options.start_sequence(webhook)
    return webhook, secret


def change(actor: Actor, webhook_id: int, changes: Mapping[str, Any]) -> Webhook:
    """Change fields, as `update` does. Opens its own units of work, because a pause may have held many deliveries."""
    due_at = _prepare(actor, webhook_id, changes) if changes.get("enabled") else None
    with unit_of_work():
        return update(actor, webhook_id, changes, due_at=due_at)


def _prepare(actor: Actor, webhook_id: int, changes: Mapping[str, Any]) -> datetime:
    """Make held deliveries due in batches, before the webhook may be sent to; return the due time.

    If the process dies half-way, or the change is refused, all deliveries wait as before.
    """
    moment = now()
    last: int | None = 0
    while last is not None:
        with unit_of_work():
            webhook = lock_row(actor, webhook_id)
            if webhook.enabled or _drops(webhook, changes.get("when_paused")):
                break
            last = waiting.make_due(webhook.id, moment, after_id=last, most=waiting.AT_ONCE)
    return moment


def _drops(webhook: Webhook, when_paused: WhenPaused | None = None) -> bool:
    """Tell whether the held deliveries of a pause are to be discarded."""
    return webhook.auto_paused and (when_paused or webhook.when_paused) is WhenPaused.DROP


def update(
    actor: Actor, webhook_id: int, changes: Mapping[str, Any], *, due_at: datetime | None = None
) -> Webhook:
    """Change fields; a new url has passed `check_target`. `due_at`: the time at which held deliveries became due."""
    webhook = lock_row(actor, webhook_id)
    if "name" in changes:
        if not (changes["name"] or "").strip():
            raise Invalid("name cannot be empty", errors={"name": ["must not be empty"]})
        webhook.name = _checked_name(changes["name"])
    if "events" in changes:
        webhook.events = _checked_events(changes["events"])
    if "url" in changes:
        webhook.url = trimmed(changes["url"])
    if "allow_http" in changes:
        webhook.allow_http = changes["allow_http"]
    webhook_options.put(actor, webhook, changes)
    webhook_options.start_sequence(webhook)
    if "enabled" in changes:
        _switch(webhook, due_at or now(), is_on=changes["enabled"])
    webhook.updated_at = now()
    return webhook


def _switch(webhook: Webhook, due_at: datetime, *, is_on: bool) -> None:
    """Enable or disable a webhook; both end an automatic pause."""
    if is_on and not webhook.enabled:
        # Otherwise the first failure after a pause would pause the webhook again.
        webhook.consecutive_failures, webhook.silent_until = 0, None
        if _drops(webhook):
            waiting.cancel(webhook.id)
        else:
            waiting.make_due(webhook.id, due_at)
        after_commit(get_backends().notifier.wake_dispatcher)
    webhook.enabled = is_on
    webhook.auto_paused, webhook.pause_reason, webhook.paused_at = False, None, None


def delete(actor: Actor, webhook_id: int) -> None:
    """Delete a webhook with its deliveries."""
    db.session.delete(lock_row(actor, webhook_id))


def rotate_secret(actor: Actor, webhook_id: int) -> tuple[Webhook, str]:
    """Create a new secret; for a day, deliveries are signed with both."""
    webhook = lock_row(actor, webhook_id)
    secret = new_secret()
    webhook.previous_secret_sealed, webhook.previous_secret_until = (
        webhook.secret_sealed,
        now() + ROTATION_OVERLAP,
    )
    webhook.secret_sealed = seal(secret)
    webhook.updated_at = now()
    return webhook, secret


def erase_old_secrets() -> None:
    """Delete the secrets before the last rotation once deliveries are no longer signed with them."""
    expired = db.session.scalars(
        select(Webhook.id)
        .where(Webhook.previous_secret_until <= now())
        .order_by(Webhook.id)
        .with_for_update(key_share=True, skip_locked=True)  # what others hold follows next time
    ).all()
    db.session.execute(
        update_rows(Webhook)
        .where(Webhook.id.in_(expired))
        .values(previous_secret_sealed=None, previous_secret_until=None)
        .execution_options(synchronize_session=False)
    )


def send_test(actor: Actor, webhook_id: int) -> Delivery:
    """Queue a test delivery, independent of the webhook's subscriptions."""
    webhook = get(actor, webhook_id)
    if not webhook.enabled:
        raise Conflict("Webhook is disabled; enable it first", code="webhook_disabled")
    return facts.record_for(
        webhook, WebhookTest(reason="Test delivery requested by the owner", webhook_id=webhook.id)
    )
