"""Claiming and settling by hand, as turns of the dispatcher do it."""

from __future__ import annotations

from speakr.db import unit_of_work
from speakr.domain.deliveries import Verdict
from speakr.services.webhooks.deliveries import claiming, sending
from speakr.services.webhooks.deliveries.claiming import Dispatch
from speakr.services.webhooks.deliveries.sending import AttemptResult
from speakr.webhooks.rate_limiter import RateLimiter
from speakr.webhooks.slots import DeliverySlots


def claim(count: int = 8) -> list[Dispatch]:
    """Claim of each webhook what is due, whatever is under way."""
    with unit_of_work():
        waiting = claiming.webhooks_with_work()
        urgent = [webhook for webhook in waiting if webhook.has_urgent]
        return claiming.claim_due([(webhook, count) for webhook in waiting if webhook.has_due], urgent)


def turn(running: dict[int, int], *, is_first: bool = False) -> list[Dispatch]:
    """Claim what a dispatcher would that has these deliveries under way (delivery -> webhook); add to them."""
    slots = DeliverySlots(RateLimiter(lambda: 0.0))
    for delivery_id, webhook_id in running.items():
        slots.take(delivery_id, webhook_id, "https://receiver.example/hook")
    with unit_of_work():
        if is_first:
            claiming.unclaim_all()
            return []
        shares = slots.allowance().share(claiming.webhooks_with_work(), ())
        claimed = claiming.claim_due(shares.given, shares.urgent)
    running.update({one.delivery_id: one.webhook_id for one in claimed})
    return claimed


def settle(*outcomes: AttemptResult) -> set[int]:
    """Write outcomes."""
    with unit_of_work():
        return sending.settle(outcomes)


def outcome(dispatch: Dispatch, verdict: Verdict, **more: float) -> AttemptResult:
    """Return an outcome for a claim."""
    return AttemptResult(
        delivery_id=dispatch.delivery_id,
        webhook_id=dispatch.webhook_id,
        claimed_until=dispatch.claimed_until,
        verdict=verdict,
        **more,  # type: ignore[arg-type] # seconds, all of them
    )
