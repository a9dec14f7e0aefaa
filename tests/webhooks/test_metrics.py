"""What operators see of deliveries: counts, latencies, and whether a dispatcher sends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from redis import Redis

from speakr import backends as plumbing
from speakr.db import unit_of_work
from speakr.domain.clock import now
from speakr.domain.deliveries import Verdict
from speakr.models import Delivery, Webhook
from speakr.services.system import health
from speakr.services.webhooks.deliveries import claiming
from speakr.settings import Settings
from speakr.telemetry.deliveries import BOUNDS, DeliveryCounts
from speakr.webhooks import redis_wakeup
from tests.webhooks.claims import claim, outcome, settle
from tests.webhooks.conftest import AddWebhook, Emit
from tests.webhooks.dispatchers import ThreadedDispatcher, until
from tests.webhooks.receiver import Receiver, reply
from tests.webhooks.states import all_settled, deliveries, webhook

URL = "https://receiver.example/hook"


def samples(app: Flask) -> dict[str, float]:
    text = app.test_client().get("/metrics").get_data(as_text=True)
    lines = [line for line in text.splitlines() if line.startswith("speakr_deliver")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@pytest.mark.parametrize("tuned", [{"webhook_max_attempts": 1}], indirect=True)
def test_attempts_are_counted_with_how_long_they_took(
    app: Flask,
    dispatcher: ThreadedDispatcher,
    receiver: Receiver,
    add_webhook: AddWebhook,
    emit: Emit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_wakeup, "HEARTBEAT_SECONDS", 0.05)
    add_webhook(receiver.url("/good"))
    add_webhook(receiver.url("/bad"))
    receiver.script("/good", reply(200, after=0.03))
    receiver.script("/bad", reply(404))
    emit(3)
    dispatcher.start()
    until(all_settled)
    until(lambda: samples(app).get("speakr_delivery_attempt_seconds_count") == 6)
    seen = samples(app)
    assert seen['speakr_delivery_attempts_total{outcome="delivered"}'] == 3
    assert seen['speakr_delivery_attempts_total{outcome="give_up"}'] == 3
    assert seen['speakr_delivery_attempt_seconds_bucket{le="0.025"}'] <= 3
    assert seen['speakr_delivery_attempt_seconds_bucket{le="+Inf"}'] == 6
    assert seen["speakr_delivery_attempt_seconds_sum"] >= 0.09
    assert seen["speakr_delivery_wait_seconds_count"] == 6


def test_what_is_counted_is_carried_over_when_the_dispatcher_stops(
    app: Flask, dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    add_webhook(receiver.url("/hook"))
    dispatcher.start()
    emit()
    until(all_settled)
    dispatcher.stop()
    assert samples(app)['speakr_delivery_attempts_total{outcome="delivered"}'] == 1


def test_without_redis_there_are_metrics_all_the_same(
    app: Flask, add_webhook: AddWebhook, emit: Emit, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_webhook(URL)
    emit(2)
    without = replace(plumbing.get_backends(), redis=Redis.from_url("redis://127.0.0.1:1"))
    monkeypatch.setattr(plumbing, "_backends", without)
    assert health.delivery_counts() == {}
    seen = samples(app)
    assert seen['speakr_deliveries{status="pending"}'] == 2
    assert "speakr_delivery_attempt_seconds_count" not in seen


def test_counts_that_could_not_be_carried_over_are_kept() -> None:
    counts = DeliveryCounts()
    counts.note("delivered", took_seconds=BOUNDS[0], waited_seconds=1e9)
    taken = counts.take()
    counts.note("delivered", took_seconds=BOUNDS[0], waited_seconds=0.0)
    counts.put_back(taken)
    again = counts.take()
    assert again["outcome:delivered"] == 2
    assert again["took:0.01"] == 2
    assert (again["waited:0.01"], again["waited:+Inf"]) == (1, 1)
    assert counts.take() == {}


def late(hook: int, seconds: float) -> None:
    with unit_of_work() as session:
        for row in session.query(Delivery).filter_by(webhook_id=hook):
            row.next_attempt_at = now() - timedelta(seconds=seconds)
        session.get_one(Webhook, hook).updated_at = now() - timedelta(days=9)


def test_who_is_sent_nothing_is_neglected_and_who_has_much_waiting_is_not(
    settings: Settings, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(URL)
    emit(3)
    late(hook, 100)
    assert 100 <= claiming.starved_seconds() < 110
    first, *_ = claim(1)
    settle(outcome(first, Verdict.RETRY, retry_in_seconds=60.0))
    assert claiming.starved_seconds() < 10
    assert claiming.oldest_due_seconds() >= 100
    with unit_of_work() as session:
        session.get_one(Webhook, hook).last_delivery_at = now() - timedelta(seconds=90)
    assert 90 <= claiming.starved_seconds() < 100


def test_what_waits_for_the_one_before_it_is_not_due(add_webhook: AddWebhook, emit: Emit) -> None:
    hook = add_webhook(URL, is_ordered=True)
    emit(3)
    late(hook, 100)
    (first,) = claim()
    settle(outcome(first, Verdict.RETRY, retry_in_seconds=3600.0))
    with unit_of_work() as session:
        session.get_one(Webhook, hook).last_delivery_at = None
    assert claiming.starved_seconds() == claiming.oldest_due_seconds() == 0.0
    assert webhook(hook).enabled
    assert len(deliveries(hook)) == 3
