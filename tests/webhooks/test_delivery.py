"""One delivery: what arrives, and what each kind of answer does to it."""

from __future__ import annotations

import hashlib
import hmac
import time
from datetime import timedelta

import pytest
from standardwebhooks import Webhook as Verifier

from speakr.db import unit_of_work
from speakr.domain.clock import now
from speakr.domain.deliveries import DeliveryStatus
from speakr.domain.permissions import Actor
from speakr.models import Webhook
from speakr.services.webhooks import webhooks
from tests.webhooks.conftest import SECRET, AddWebhook, Emit
from tests.webhooks.dispatchers import ThreadedDispatcher, until
from tests.webhooks.receiver import Received, Receiver, disconnect, reply
from tests.webhooks.states import all_settled, deliveries, make_retries_due, settled, webhook


def own_signature(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def verify(secret: str, request: Received) -> None:
    Verifier(webhooks.standard_secret(secret)).verify(request.body, dict(request.headers))


def test_a_delivery_arrives_signed_in_both_ways(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(receiver.url("/hook"))
    (event_id,) = emit(title="Gespr\u00e4ch \U0001f399")
    dispatcher.start()
    (request,) = receiver.wait_for(1)

    assert (request.method, request.path) == ("POST", "/hook")
    verify(SECRET, request)
    assert request.headers["speakr-signature"] == own_signature(SECRET, request.body)
    assert request.headers["speakr-delivery-id"] == request.headers["webhook-id"] == event_id
    assert request.headers["speakr-event"] == "recording.updated"
    assert request.headers["content-type"] == "application/json"
    assert not {"cookie", "authorization", "referer", "expect", "transfer-encoding"} & set(request.headers)
    row = settled(hook)
    assert request.body.decode() == row.body
    assert (row.status, row.attempt_count, row.response_status) == (DeliveryStatus.SUCCESS, 1, 200)
    assert (row.response_body_preview, row.error_message, row.next_attempt_at) == ("ok", None, None)
    assert row.delivered_at is not None
    assert webhook(hook).last_delivery_at is not None


def test_a_retry_sends_the_same_body_under_the_same_id_at_a_new_time(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(receiver.url("/hook"))
    receiver.script("/hook", reply(500, b"not now"), reply(204))
    emit()
    dispatcher.start()
    row = settled(hook)
    assert (row.status, row.attempt_count, row.response_status) == (DeliveryStatus.FAILED, 1, 500)
    assert (row.response_body_preview, row.error_message, row.claimed_until) == ("not now", None, None)
    assert row.next_attempt_at is not None
    assert 20 < (row.next_attempt_at - now()).total_seconds() < 40
    sent = int(receiver.requests()[0].headers["webhook-timestamp"])
    until(lambda: int(time.time()) > sent)  # the time in the headers is in whole seconds
    make_retries_due(hook)
    first, second = receiver.wait_for(2)
    until(all_settled)

    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(second.headers["webhook-timestamp"]) > int(first.headers["webhook-timestamp"])
    assert second.headers["speakr-timestamp"] > first.headers["speakr-timestamp"]
    verify(SECRET, second)
    (row,) = deliveries(hook)
    assert (row.status, row.attempt_count) == (DeliveryStatus.SUCCESS, 2)
    assert webhook(hook).consecutive_failures == 0


@pytest.mark.parametrize("tuned", [{"webhook_max_attempts": 2}], indirect=True)
def test_the_last_attempt_ends_the_delivery(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(receiver.url("/hook"))
    receiver.script("/hook", reply(503))
    emit()
    dispatcher.start()
    settled(hook)
    make_retries_due(hook)
    until(all_settled)
    (row,) = deliveries(hook)
    assert (row.status, row.attempt_count, row.next_attempt_at) == (DeliveryStatus.PERMANENT_FAILURE, 2, None)
    assert webhook(hook).consecutive_failures == 1


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 422])
def test_redirects_and_client_errors_are_final_and_lead_nowhere(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit, status: int
) -> None:
    hook = add_webhook(receiver.url("/hook"))
    receiver.script("/hook", reply(status, headers={"Location": receiver.url("/elsewhere")}))
    emit()
    dispatcher.start()
    row = settled(hook)
    assert (row.status, row.attempt_count) == (DeliveryStatus.PERMANENT_FAILURE, 1)
    assert (row.response_status, row.error_message) == (status, None)
    assert receiver.requests("/elsewhere") == []


def test_gone_pauses_the_webhook_and_holds_what_comes_later(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(receiver.url("/hook"))
    receiver.script("/hook", reply(410))
    emit()
    dispatcher.start()
    assert settled(hook).status is DeliveryStatus.PERMANENT_FAILURE
    paused = webhook(hook)
    assert (paused.enabled, paused.auto_paused) == (False, True)
    assert paused.pause_reason == "The receiver answered 410 Gone."
    add_webhook(receiver.url("/other"))
    emit()
    receiver.wait_for(1, "/other")  # one statement claims what is due at all webhooks
    assert len(receiver.requests("/hook")) == 1
    held = deliveries(hook)[1]
    assert (held.status, held.claimed_until) == (DeliveryStatus.PENDING, None)


@pytest.mark.parametrize("tuned", [{"webhook_autopause_failures": 3}], indirect=True)
def test_failures_in_a_row_pause_and_enabling_starts_afresh(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit, owner: Actor
) -> None:
    hook = add_webhook(receiver.url("/hook"))
    receiver.script("/hook", reply(404))
    emit(3)
    dispatcher.start()
    until(lambda: webhook(hook).auto_paused)
    assert webhook(hook).consecutive_failures == 3
    held = emit(2)

    receiver.script("/hook", reply(404), reply(200))
    with unit_of_work():
        webhooks.update(owner, hook, {"enabled": True})
    assert webhook(hook).consecutive_failures == 0
    until(all_settled)
    assert sorted(one.headers["webhook-id"] for one in receiver.requests()[3:]) == sorted(held)
    # One failure and one success: with the old count, the failure alone would have paused it again.
    assert webhook(hook).enabled


def test_retry_after_pauses_the_whole_webhook_and_no_other(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    busy, calm = add_webhook(receiver.url("/busy")), add_webhook(receiver.url("/calm"))
    receiver.script("/busy", reply(429, headers={"Retry-After": "2"}), reply(200))
    emit()
    dispatcher.start()
    settled(busy)
    emit()
    (first, second) = receiver.wait_for(2, "/busy")
    assert second.at - first.at >= 2.0
    assert (
        first.headers["webhook-id"] != second.headers["webhook-id"]
    )  # the failed one waits for its schedule
    calm_ones = receiver.wait_for(2, "/calm")
    assert calm_ones[1].at - first.at < 1.9
    until(lambda: deliveries(calm)[-1].status is DeliveryStatus.SUCCESS)


def test_a_long_retry_after_moves_the_retry(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(receiver.url("/hook"))
    receiver.script("/hook", reply(503, headers={"Retry-After": "600"}))
    emit()
    dispatcher.start()
    row = settled(hook)
    assert row.next_attempt_at is not None
    assert 590 < (row.next_attempt_at - now()).total_seconds() <= 720
    silent_until = webhook(hook).silent_until
    assert silent_until is not None
    assert 590 < (silent_until - now()).total_seconds() <= 600


def test_both_secrets_sign_while_a_rotation_overlaps(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit, owner: Actor
) -> None:
    hook = add_webhook(receiver.url("/hook"))
    (before,) = emit()
    with unit_of_work():
        _, fresh = webhooks.rotate_secret(owner, hook)
    (after,) = emit()
    dispatcher.start()
    found = {one.headers["webhook-id"]: one for one in receiver.wait_for(2)}
    for request in found.values():
        verify(SECRET, request)
        verify(fresh, request)
    assert found[before].headers["speakr-signature"] == own_signature(SECRET, found[before].body)
    assert found[after].headers["speakr-signature"] == own_signature(fresh, found[after].body)

    with unit_of_work() as session:
        session.get_one(Webhook, hook).previous_secret_until = now() - timedelta(seconds=1)
    (last,) = emit()
    request = receiver.wait_for(3)[-1]
    assert request.headers["webhook-id"] == last
    assert len(request.headers["webhook-signature"].split()) == 1
    verify(fresh, request)


def test_an_unreadable_secret_stops_no_other_webhook(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    broken, good = add_webhook(receiver.url("/broken")), add_webhook(receiver.url("/good"))
    with unit_of_work() as session:
        session.get_one(Webhook, broken).secret_sealed = "sealed with another key"
    emit()
    dispatcher.start()
    assert settled(good).status is DeliveryStatus.SUCCESS
    assert receiver.requests("/broken") == []
    assert deliveries(broken)[0].status is DeliveryStatus.PENDING


def test_a_kept_connection_that_dies_is_replaced_at_once(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(receiver.url("/hook"))
    receiver.script("/hook", reply(200), disconnect(), reply(200))
    dispatcher.start()
    emit()
    until(lambda: deliveries(hook)[0].status is DeliveryStatus.SUCCESS)
    emit()
    first, second, third = receiver.wait_for(3)
    assert first.connection == second.connection != third.connection
    assert second.headers["webhook-id"] == third.headers["webhook-id"]
    until(all_settled)
    assert [row.attempt_count for row in deliveries(hook)] == [1, 1]


def test_a_fresh_connection_that_dies_is_a_failed_attempt(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(receiver.url("/hook"))
    receiver.script("/hook", disconnect())
    dispatcher.start()
    emit()
    row = settled(hook)
    assert (row.status, row.response_status) == (DeliveryStatus.FAILED, None)
    assert row.error_message == "HTTP: the connection was closed before a complete answer came."
    assert len(receiver.requests()) == 1


def test_a_deleted_webhook_is_forgotten_in_mid_flight(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit, owner: Actor
) -> None:
    hook = add_webhook(receiver.url("/hook"))
    other = add_webhook(receiver.url("/other"))
    receiver.script("/hook", reply(200, after=0.3))
    dispatcher.start()
    emit()
    receiver.wait_for(1, "/hook")
    with unit_of_work():
        webhooks.delete(owner, hook)
    time.sleep(0.4)
    emit()
    until(lambda: len(deliveries(other)) == 2 and all_settled())
    assert deliveries(hook) == []
