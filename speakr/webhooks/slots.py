"""Limits on concurrent deliveries: in total, per destination host and per webhook.

A webhook whose last attempt was slow gets few slots, and all such webhooks together a quarter of the total, so that hanging
receivers take little from the others. A webhook's own options (order, requests at once,
requests per second) only reduce its share.
"""

from __future__ import annotations

import functools
import heapq
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from speakr.domain.errors import Invalid
from speakr.egress import parse_url
from speakr.services.webhooks.deliveries.claiming import Waiting
from speakr.webhooks.rate_limiter import Paces, RateLimiter

TOTAL = 512
"""Enough to stay busy with answers of 100 ms, and fewer sockets than a process may open."""

PER_HOST = 32
PER_WEBHOOK = 8
PER_SLOW_WEBHOOK = 2
FOR_ALL_SLOW = TOTAL // 4
FOR_URGENT = 8
"""Extra slots for tests, because a user waits for the result."""

SLOW_SECONDS = 5.0
"""An attempt of this many seconds, answered or not, marks its webhook as slow until the next attempt."""


@functools.lru_cache(maxsize=4096)
def host_of(url: str) -> str:
    """Return the host of a webhook's address; empty if the address is unreadable, and then it is not sent to."""
    try:
        return parse_url(url, allow_http=True).host
    except Invalid:
        return ""


@dataclass(frozen=True, slots=True)
class Shares:
    """Number of deliveries each webhook may claim. `urgent` webhooks may each claim one more."""

    given: Sequence[tuple[Waiting, int]]
    urgent: Sequence[Waiting]
    left: int
    look_again_seconds: float | None
    """Seconds until a webhook that has used up its rate may be sent to again."""


@dataclass(frozen=True, slots=True)
class SendAllowance:
    """A snapshot of running deliveries; another thread may read it while slots are released."""

    under_way: Mapping[int, tuple[int, str]]
    """The deliveries that hold a slot, each with webhook and host."""

    slow_webhooks: frozenset[int]
    paces: Paces

    def share(self, waiting: Sequence[Waiting], settled: Collection[int]) -> Shares:
        """Distribute the free slots, including those of the settled deliveries.

        Slots go one by one to the webhook with the fewest; among equals to the one that waits longest.
        """
        held = [holder for delivery_id, holder in self.under_way.items() if delivery_id not in settled]
        webhooks = Counter(webhook_id for webhook_id, _ in held)
        hosts = Counter(host for _, host in held)
        left = TOTAL - len(held)
        urgent = [webhook for webhook in waiting if webhook.has_urgent][: max(0, left + FOR_URGENT)]
        left -= len(urgent)
        left_for_slow = FOR_ALL_SLOW - sum(webhooks[webhook_id] for webhook_id in self.slow_webhooks)
        limits, by_pace = self._limits(waiting, webhooks)
        given: Counter[int] = Counter()
        queue = [(webhooks[webhook.webhook_id], order) for order, webhook in enumerate(waiting)]
        heapq.heapify(queue)
        while queue and left > 0:
            busy, order = heapq.heappop(queue)
            webhook = waiting[order]
            host = host_of(webhook.url)
            is_slow = webhook.webhook_id in self.slow_webhooks
            if busy >= limits[order] or hosts[host] >= PER_HOST or (is_slow and left_for_slow <= 0):
                continue
            left -= 1
            left_for_slow -= is_slow
            hosts[host] += 1
            given[order] += 1
            heapq.heappush(queue, (busy + 1, order))
        again = [
            self.paces.opens_in(waiting[order].webhook_id, waiting[order].max_per_second or 0, given[order])
            for order in by_pace
            if webhooks[waiting[order].webhook_id] + given[order] >= limits[order]
        ]
        return Shares(
            [(waiting[order], count) for order, count in given.items()],
            urgent,
            left,
            min(again, default=None),
        )

    def _limits(self, waiting: Sequence[Waiting], busy: Mapping[int, int]) -> tuple[list[int], list[int]]:
        """Return how many deliveries each webhook may have under way, and which have fewer because of their rate limit."""
        limits: list[int] = []
        by_pace: list[int] = []
        for order, webhook in enumerate(waiting):
            most = PER_SLOW_WEBHOOK if webhook.webhook_id in self.slow_webhooks else PER_WEBHOOK
            most = min(most, webhook.max_in_flight or most)
            most = (1 if webhook.is_ordered else most) if webhook.has_due else 0
            if webhook.max_per_second is not None and most > busy.get(webhook.webhook_id, 0):
                may_start = self.paces.open_starts(webhook.webhook_id, webhook.max_per_second)
                if busy.get(webhook.webhook_id, 0) + may_start < most:
                    most = busy.get(webhook.webhook_id, 0) + may_start
                    by_pace.append(order)
            limits.append(most)
        return limits, by_pace


class DeliverySlots:
    """Counts running deliveries. A slot is taken with the claim and released when the outcome is written.

    So no more than `TOTAL` deliveries are ever between the two, and no crash can repeat more.
    """

    def __init__(self, rate_limiter: RateLimiter) -> None:
        self._held: dict[int, tuple[int, str]] = {}
        self._slow: set[int] = set()
        self._rate_limiter = rate_limiter

    def __len__(self) -> int:
        return len(self._held)

    def take(self, delivery_id: int, webhook_id: int, url: str) -> None:
        """Note that a delivery is under way."""
        self._held[delivery_id] = webhook_id, host_of(url)

    def release(self, delivery_id: int) -> None:
        """Release the slot of a delivery whose outcome is written. One left over from an earlier send loop has none."""
        self._held.pop(delivery_id, None)

    def took(self, webhook_id: int, seconds: float) -> None:
        """Store how long a webhook's latest attempt took."""
        if seconds >= SLOW_SECONDS:
            self._slow.add(webhook_id)
        else:
            self._slow.discard(webhook_id)

    def allowance(self) -> SendAllowance:
        """Return a snapshot of running deliveries."""
        return SendAllowance(dict(self._held), frozenset(self._slow), self._rate_limiter.now())
