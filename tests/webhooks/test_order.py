"""Ordered webhooks: the next delivery does not start before the previous one has ended."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from speakr.db import db, unit_of_work
from speakr.domain.clock import now
from speakr.domain.deliveries import DeliveryStatus, Verdict
from speakr.domain.permissions import Actor, Scope
from speakr.models import Webhook, WebhookSequence
from speakr.services.accounts import administration
from speakr.services.webhooks import webhook_options, webhooks
from speakr.services.webhooks.deliveries import claiming, history, waiting
from tests.webhooks.claims import claim, outcome, settle, turn
from tests.webhooks.conftest import AddWebhook, Emit
from tests.webhooks.dispatchers import ThreadedDispatcher, until
from tests.webhooks.receiver import Receiver, reply
from tests.webhooks.states import all_settled, deliveries, make_retries_due

URL = "https://receiver.example/hook"


def test_only_the_first_open_one_may_start(add_webhook: AddWebhook, emit: Emit) -> None:
    ordered, other = add_webhook(URL, is_ordered=True), add_webhook(URL)
    wanted = [emit()[0] for _ in range(3)]
    first, *others = claim()
    assert (first.webhook_id, first.event_uuid) == (ordered, wanted[0])
    assert [one.webhook_id for one in others] == [other] * 3
    assert claim() == []  # it is under way

    settle(outcome(first, Verdict.RETRY, retry_in_seconds=30.0))
    assert claim() == []  # it has not ended: it will be tried again
    make_retries_due(ordered)
    (again,) = claim()
    assert (again.event_uuid, again.attempt) == (wanted[0], 2)
    settle(outcome(again, Verdict.GIVE_UP))
    (second,) = claim()
    assert second.event_uuid == wanted[1]
    settle(outcome(second, Verdict.DELIVERED))
    (third,) = claim()
    assert third.event_uuid == wanted[2]


def test_one_that_becomes_due_early_waits_its_turn(add_webhook: AddWebhook, emit: Emit) -> None:
    hook = add_webhook(URL, is_ordered=True)
    wanted = emit(3)
    first_id = deliveries(hook)[0].id
    with unit_of_work():
        waiting.make_due(hook, now() - timedelta(minutes=1), after_id=first_id)
    (first,) = claim()
    assert first.event_uuid == wanted[0]


def test_a_cancelled_one_is_over_but_not_while_it_is_under_way(
    add_webhook: AddWebhook, emit: Emit, owner: Actor
) -> None:
    hook = add_webhook(URL, is_ordered=True)
    wanted = emit(3)
    first_id = deliveries(hook)[0].id
    with unit_of_work():
        waiting.cancel(hook, delivery_id=first_id)
    running: dict[int, int] = {}
    (second,) = turn(running)
    assert second.event_uuid == wanted[1]
    with unit_of_work():
        waiting.cancel(hook, delivery_id=second.delivery_id)
    assert turn(running) == []
    settle(outcome(second, Verdict.DELIVERED))
    running.clear()
    (third,) = turn(running)
    assert third.event_uuid == wanted[2]


def test_a_test_delivery_waits_for_no_other_and_delays_none(
    add_webhook: AddWebhook, emit: Emit, owner: Actor
) -> None:
    hook = add_webhook(URL, is_ordered=True)
    wanted = emit(2)
    (first,) = claim()
    with unit_of_work():
        asked = webhooks.send_test(owner, hook)
    (test,) = claim()
    assert test.delivery_id == asked.id
    settle(outcome(first, Verdict.DELIVERED))
    (second,) = claim()
    assert second.event_uuid == wanted[1]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(["claim", "deliver", "retry", "fail", "hurry", "cancel", "crash"]), max_size=30)
)
def test_whatever_happens_none_starts_before_the_one_before_it_has_ended(
    add_webhook: AddWebhook, emit: Emit, steps: list[str]
) -> None:
    hook = add_webhook(URL, is_ordered=True)
    emit(6)
    running: dict[int, int] = {}
    under_way = []
    for step in steps:
        if step == "claim":
            under_way += (started := [one for one in turn(running) if one.webhook_id == hook])
            for one in started:
                before = [row for row in deliveries(hook) if row.id < one.delivery_id]
                assert {row.status for row in before} <= {
                    DeliveryStatus.SUCCESS,
                    DeliveryStatus.PERMANENT_FAILURE,
                }
            assert len(under_way) <= 1
        elif step == "hurry":
            make_retries_due(hook)
        elif step == "cancel":
            with unit_of_work():
                waiting.cancel(hook, most=1)
        elif step == "crash":
            under_way.clear()
            running.clear()
            turn(running, is_first=True)
        elif under_way:
            one = under_way.pop()
            verdict = {"deliver": Verdict.DELIVERED, "retry": Verdict.RETRY, "fail": Verdict.GIVE_UP}[step]
            settle(outcome(one, verdict, **({"retry_in_seconds": 60.0} if step == "retry" else {})))
            running.pop(one.delivery_id)
    with unit_of_work():
        waiting.cancel(hook)


@pytest.mark.parametrize("tuned", [{"webhook_max_attempts": 1}], indirect=True)
def test_what_arrives_is_in_order_though_some_fail(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(receiver.url("/hook"), is_ordered=True)
    busy = add_webhook(receiver.url("/other"))
    receiver.script("/hook", *[reply(500 if n % 5 == 0 else 200) for n in range(1, 20)], reply(200))
    wanted = emit(20)
    dispatcher.start()
    until(all_settled, timeout=20)
    assert [one.headers["webhook-id"] for one in receiver.requests("/hook")] == wanted
    assert sum(row.status is DeliveryStatus.PERMANENT_FAILURE for row in deliveries(hook)) == 3
    assert len(deliveries(busy)) == len(receiver.requests("/other")) == 20


def test_an_ordered_webhook_numbers_its_deliveries(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook, plain = add_webhook(receiver.url("/hook"), is_ordered=True), add_webhook(receiver.url("/plain"))
    receiver.script("/hook", reply(200), reply(503), reply(200))
    wanted = emit(2)
    dispatcher.start()
    receiver.wait_for(2, "/hook")
    until(lambda: deliveries(hook)[1].attempt_count == 1)
    make_retries_due(hook)
    wanted += emit(2)
    until(all_settled)
    sent = [(one.headers["speakr-sequence"], one.headers["webhook-id"]) for one in receiver.requests("/hook")]
    assert sent == [("1", wanted[0]), ("2", wanted[1]), ("2", wanted[1]), ("3", wanted[2]), ("4", wanted[3])]
    assert all("speakr-sequence" not in one.headers for one in receiver.requests("/plain"))
    assert len(deliveries(plain)) == 4


def add_ordered(owner: Actor, how: str) -> int:
    """Add an ordered webhook, or one that becomes ordered, as a request does."""
    options = {"name": "x", "url": URL, "events": ["recording.updated"], "ordered": how == "created"}
    with unit_of_work():
        webhook_id = webhooks.create(owner, **options)[0].id
    if how == "changed":
        webhooks.change(owner, webhook_id, {"ordered": True})
    return webhook_id


@pytest.mark.parametrize("how", ["created", "changed"])
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_first_attempt_does_not_wait_for_a_change_of_the_webhook(
    app: Flask, emit: Emit, owner: Actor, how: str
) -> None:
    webhook_id = add_ordered(owner, how)
    emit(1)
    with db.engine.begin() as other:
        other.execute(select(Webhook.id).where(Webhook.id == webhook_id).with_for_update())
        with unit_of_work() as session:
            session.execute(text("SET LOCAL lock_timeout = '5s'"))
            (first,) = claiming.claim_due([(one, 1) for one in claiming.webhooks_with_work()])
    assert first.sequence == 1


def test_a_webhook_that_an_older_version_made_ordered_is_numbered(
    app: Flask, emit: Emit, owner: Actor
) -> None:
    webhook_id, numbered = add_ordered(owner, "not at all"), add_ordered(owner, "created")
    with unit_of_work() as session:
        session.get_one(Webhook, webhook_id).is_ordered = True
        session.get_one(WebhookSequence, numbered).last = 7
    emit(1)
    for _ in range(2):
        with unit_of_work():
            webhook_options.start_missing_sequences()
    assert {one.webhook_id: one.sequence for one in claim()} == {webhook_id: 1, numbered: 8}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_disabling_a_user_does_not_wait_for_what_refers_to_a_webhook(
    app: Flask, emit: Emit, owner: Actor
) -> None:
    webhook_id = add_ordered(owner, "created")
    emit(2)
    root = Actor(0, "root", is_admin=True, scopes=frozenset(Scope))
    with db.engine.begin() as other:
        key_share = select(Webhook.id).where(Webhook.id == webhook_id)
        other.execute(key_share.with_for_update(key_share=True, read=True))
        with unit_of_work() as session:
            session.execute(text("SET LOCAL lock_timeout = '5s'"))
            administration.update(root, owner.user_id, {"is_active": False}, None)
    assert {row.status for row in deliveries(webhook_id)} == {DeliveryStatus.PERMANENT_FAILURE}


def test_a_delivery_is_not_shown_as_due_before_the_end_of_a_pause(
    add_webhook: AddWebhook, emit: Emit, owner: Actor
) -> None:
    hook = add_webhook(URL)
    emit(2)
    first, _ = claim()
    settle(outcome(first, Verdict.RETRY, retry_in_seconds=30.0, silent_seconds=600.0))
    shown = history.list_for(owner, hook, limit=10)
    assert len(shown) == 2
    for delivery in shown:
        assert delivery.next_retry_at is not None
        assert delivery.next_retry_at > now() + timedelta(minutes=9)
