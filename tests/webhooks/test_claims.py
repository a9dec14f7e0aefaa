"""The rows: what may be claimed, and what an outcome does to the claim it answers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from speakr.db import unit_of_work
from speakr.domain.clock import now
from speakr.domain.deliveries import DeliveryStatus, Verdict
from speakr.models import Delivery, Webhook
from speakr.services.webhooks.deliveries import claiming, sending
from tests.webhooks.claims import claim, outcome, settle
from tests.webhooks.conftest import AddWebhook, Emit
from tests.webhooks.states import deliveries, webhook

URL = "https://receiver.example/hook"


def test_of_each_webhook_the_oldest_are_claimed_and_only_once(add_webhook: AddWebhook, emit: Emit) -> None:
    first, second = add_webhook(URL), add_webhook(URL)
    wanted = [emit()[0] for _ in range(5)]
    claimed = claim(3)
    for hook in (first, second):
        mine = [one for one in claimed if one.webhook_id == hook]
        assert [one.event_uuid for one in mine] == wanted[:3]
        assert {one.attempt for one in mine} == {1}
    assert [one.event_uuid for one in claim(8)] == wanted[3:] * 2
    assert claim() == []


def test_what_is_not_due_or_not_to_be_sent_is_left_alone(add_webhook: AddWebhook, emit: Emit) -> None:
    later, off, silent, paused = (add_webhook(URL) for _ in range(4))
    emit()
    with unit_of_work() as session:
        for row in session.query(Delivery).filter_by(webhook_id=later):
            row.next_attempt_at = now() + timedelta(seconds=60)
        session.get_one(Webhook, off).enabled = False
        session.get_one(Webhook, silent).silent_until = now() + timedelta(seconds=60)
        stopped = session.get_one(Webhook, paused)
        stopped.enabled, stopped.auto_paused = False, True
    assert claiming.webhooks_with_work() == []
    assert claiming.oldest_due_seconds() == 0.0
    with unit_of_work() as session:
        session.get_one(Webhook, silent).silent_until = now() - timedelta(seconds=1)
        session.get_one(Webhook, paused).enabled = True
    assert {one.webhook_id for one in claim()} == {silent, paused}


@pytest.mark.parametrize("tuned", [{"webhook_enabled": False}], indirect=True)
def test_nothing_is_claimed_while_webhooks_are_switched_off(app: Flask) -> None:
    assert claiming.webhooks_with_work() == []


def test_who_waits_longest_comes_first(add_webhook: AddWebhook, emit: Emit) -> None:
    hooks = [add_webhook(URL) for _ in range(3)]
    emit()
    with unit_of_work() as session:
        for row in session.query(Delivery).filter_by(webhook_id=hooks[1]):
            row.next_attempt_at = now() - timedelta(seconds=30)
    assert [one.webhook_id for one in claiming.webhooks_with_work()] == [hooks[1], hooks[0], hooks[2]]
    assert 30 <= claiming.oldest_due_seconds() < 32
    claim()
    assert claiming.oldest_due_seconds() >= 30  # claimed is not delivered


def test_only_what_is_not_under_way_is_unclaimed(add_webhook: AddWebhook, emit: Emit) -> None:
    add_webhook(URL)
    emit(3)
    claimed = claim()
    with unit_of_work():
        claiming.unclaim_all(but=[claimed[0].delivery_id])
    assert {one.delivery_id for one in claim()} == {one.delivery_id for one in claimed[1:]}
    with unit_of_work():
        claiming.unclaim_all()
    assert len(claim()) == 3


def test_a_failure_counts_only_for_its_own_claim(add_webhook: AddWebhook, emit: Emit) -> None:
    hook = add_webhook(URL)
    emit()
    (old,) = claim()
    with unit_of_work():
        claiming.unclaim_all()
    (new,) = claim()
    assert settle(outcome(old, Verdict.GIVE_UP)) == {old.delivery_id}
    (row,) = deliveries(hook)
    assert (row.status, row.attempt_count, row.claimed_until) == (
        DeliveryStatus.PENDING,
        0,
        new.claimed_until,
    )
    assert webhook(hook).consecutive_failures == 0


def test_a_success_counts_whichever_dispatcher_reports_it(add_webhook: AddWebhook, emit: Emit) -> None:
    hook = add_webhook(URL)
    emit()
    (old,) = claim()
    with unit_of_work():
        claiming.unclaim_all()
    (new,) = claim()
    settle(outcome(old, Verdict.DELIVERED))
    settle(outcome(new, Verdict.GIVE_UP))
    (row,) = deliveries(hook)
    assert (row.status, row.attempt_count) == (DeliveryStatus.SUCCESS, 1)
    assert webhook(hook).consecutive_failures == 0


def test_one_attempt_is_counted_once_for_repeated_reports(add_webhook: AddWebhook, emit: Emit) -> None:
    hook = add_webhook(URL)
    emit()
    (one,) = claim()
    known = outcome(one, Verdict.GIVE_UP)
    settle(known, known)
    settle(known)
    assert webhook(hook).consecutive_failures == 1
    assert deliveries(hook)[0].attempt_count == 1


@pytest.mark.parametrize("tuned", [{"webhook_autopause_failures": 3}], indirect=True)
def test_failures_are_counted_in_their_order(add_webhook: AddWebhook, emit: Emit) -> None:
    hook = add_webhook(URL)
    emit(5)
    a, b, c, d, e = claim()
    settle(outcome(a, Verdict.GIVE_UP), outcome(b, Verdict.GIVE_UP), outcome(c, Verdict.DELIVERED))
    assert (webhook(hook).consecutive_failures, webhook(hook).enabled) == (0, True)
    settle(outcome(d, Verdict.RETRY, retry_in_seconds=5.0), outcome(e, Verdict.RETRY))
    assert webhook(hook).consecutive_failures == 1  # only the one that had no attempt left


def test_a_webhook_switched_off_by_its_owner_stays_so_labelled(add_webhook: AddWebhook, emit: Emit) -> None:
    hook = add_webhook(URL)
    emit()
    (one,) = claim()
    with unit_of_work() as session:
        session.get_one(Webhook, hook).enabled = False
    settle(outcome(one, Verdict.GONE))
    assert (webhook(hook).enabled, webhook(hook).auto_paused) == (False, False)


def test_a_shorter_silence_does_not_end_a_longer_one(add_webhook: AddWebhook, emit: Emit) -> None:
    hook = add_webhook(URL)
    emit(2)
    a, b = claim()
    settle(outcome(a, Verdict.RETRY, retry_in_seconds=600.0, silent_seconds=500.0))
    settle(outcome(b, Verdict.RETRY, retry_in_seconds=60.0, silent_seconds=5.0))
    silent_until = webhook(hook).silent_until
    assert silent_until is not None
    assert (silent_until - now()).total_seconds() > 490


@pytest.mark.parametrize(
    ("given", "stored"),
    [(None, None), ("a\x00b", "a\ufffdb"), ("\ud800x", "?x"), ("y" * 9, "y" * 5), ("\u202e", "\u202e")],
)
def test_text_is_made_fit_to_store(given: str | None, stored: str | None) -> None:
    assert sending.storable(given, 5) == stored
