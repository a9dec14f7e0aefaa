"""The distribution of free slots."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from speakr.services.webhooks.deliveries.claiming import Waiting
from speakr.webhooks.rate_limiter import RateLimiter
from speakr.webhooks.slots import (
    FOR_ALL_SLOW,
    PER_HOST,
    PER_SLOW_WEBHOOK,
    PER_WEBHOOK,
    SLOW_SECONDS,
    TOTAL,
    DeliverySlots,
)


def new_slots(clock: Callable[[], float] = lambda: 0.0) -> DeliverySlots:
    return DeliverySlots(RateLimiter(clock))


def waiting(webhook_id: int, host: str | None = None) -> Waiting:
    url = f"https://{host or f'host{webhook_id}.example'}/hook"
    return Waiting(webhook_id, url, allow_http=False, secrets=("secret",), rotated_at=None)


def shares(slots: DeliverySlots, *webhooks: Waiting, settled: Sequence[int] = ()) -> dict[int, int]:
    return {webhook.webhook_id: count for webhook, count in slots.allowance().share(webhooks, settled).given}


def test_one_webhook_gets_its_eight() -> None:
    assert shares(new_slots(), waiting(1)) == {1: PER_WEBHOOK}


def test_what_is_under_way_counts_until_it_is_settled() -> None:
    slots = new_slots()
    for delivery_id in range(5):
        slots.take(delivery_id, 1, waiting(1).url)
    assert shares(slots, waiting(1)) == {1: 3}
    assert shares(slots, waiting(1), settled=[0, 1]) == {1: 5}
    slots.release(0)
    assert shares(slots, waiting(1)) == {1: 4}
    assert len(slots) == 4


def test_webhooks_of_one_host_share_its_slots_evenly() -> None:
    got = shares(new_slots(), *(waiting(n, "one.example") for n in range(10)))
    assert sum(got.values()) == PER_HOST
    assert set(got.values()) == {3, 4}


def test_when_slots_are_scarce_every_webhook_gets_some() -> None:
    got = shares(new_slots(), *(waiting(n) for n in range(TOTAL - 56)))
    assert sum(got.values()) == TOTAL
    assert set(got.values()) == {1, 2}


def test_those_who_wait_longest_come_first_among_equals() -> None:
    more = TOTAL + 44
    got = shares(new_slots(), *(waiting(n) for n in reversed(range(more))))
    assert set(got) == set(range(more - TOTAL, more))


def test_slow_webhooks_get_little_and_all_of_them_together_not_much() -> None:
    slots = new_slots()
    for n in range(100):
        slots.took(n, SLOW_SECONDS)
    got = shares(slots, *(waiting(n) for n in range(101)))
    assert got.pop(100) == PER_WEBHOOK
    assert sum(got.values()) == FOR_ALL_SLOW
    assert max(got.values()) <= PER_SLOW_WEBHOOK
    slots.took(0, 0.1)
    assert shares(slots, waiting(0)) == {0: PER_WEBHOOK}


def test_a_leftover_of_an_earlier_shift_frees_nothing() -> None:
    slots = new_slots()
    slots.release(7)
    assert len(slots) == 0


@given(
    held=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), max_size=TOTAL),
    wanting=st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 9)), max_size=60, unique_by=lambda one: one[0]
    ),
    slow=st.sets(st.integers(0, 40)),
)
def test_no_limit_is_ever_passed(
    held: list[tuple[int, int]], wanting: list[tuple[int, int]], slow: set[int]
) -> None:
    slots = new_slots()
    host = dict(held) | dict(wanting)
    for delivery_id, (webhook_id, _) in enumerate(held):
        slots.take(delivery_id, webhook_id, waiting(webhook_id, f"h{host[webhook_id]}.example").url)
    for webhook_id in slow:
        slots.took(webhook_id, SLOW_SECONDS)
    got = shares(slots, *(waiting(n, f"h{host[n]}.example") for n, _ in wanting))
    assert sum(got.values()) + len(held) <= TOTAL
    before = [webhook_id for webhook_id, _ in held]
    for webhook_id, count in got.items():
        limit = PER_SLOW_WEBHOOK if webhook_id in slow else PER_WEBHOOK
        assert before.count(webhook_id) + count <= limit
    for number in range(10):
        here = sum(count for webhook_id, count in got.items() if host[webhook_id] == number)
        if here:
            assert here + sum(host[webhook_id] == number for webhook_id in before) <= PER_HOST
