"""A bad receiver is its owner's trouble only."""

from __future__ import annotations

import threading
import time

import pytest

from speakr.domain.deliveries import DeliveryStatus
from tests.webhooks.conftest import AddWebhook, Emit
from tests.webhooks.dispatchers import ThreadedDispatcher, until
from tests.webhooks.receiver import Receiver, hang, reply
from tests.webhooks.states import deliveries

HOSTS = [f"127.0.1.{number}" for number in range(6)]

pytestmark = pytest.mark.allow_hosts(["127.0.0.1", *HOSTS])


@pytest.mark.parametrize("tuned", [{"webhook_timeout_seconds": 4.0}], indirect=True)
def test_receivers_that_hang_delay_no_other(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    for number in range(6):
        receiver.script(f"/hole{number}", hang())
        add_webhook(receiver.url(f"/hole{number}", host=HOSTS[number]))
    quick = add_webhook(receiver.url("/quick"))
    emit(10)
    started = time.time()
    dispatcher.start()
    quick_ones = receiver.wait_for(10, "/quick")
    assert quick_ones[-1].at - started < 4.0  # an attempt at a hole takes as long
    until(lambda: all(row.status is DeliveryStatus.SUCCESS for row in deliveries(quick)))
    time.sleep(0.3)
    for number in range(6):
        assert len(receiver.requests(f"/hole{number}")) == 8


def test_a_webhook_never_has_more_than_its_slots(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(receiver.url("/hook"))
    receiver.script("/hook", reply(200, after=0.1))
    emit(40)
    dispatcher.start()
    requests = receiver.wait_for(40, "/hook")
    most = max(sum(0 <= one.at - other.at < 0.099 for other in requests) for one in requests)
    assert most == 8
    until(lambda: all(row.status is DeliveryStatus.SUCCESS for row in deliveries(hook)))
    assert all(row.attempt_count == 1 for row in deliveries(hook))


def test_a_host_never_has_more_than_its_slots(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    receiver.script_all(hang(1.0))
    for number in range(6):
        add_webhook(receiver.url(f"/{number}"))
    emit(8)
    dispatcher.start()
    receiver.wait_for(32)
    time.sleep(0.3)
    assert len(receiver.requests()) == 32


def test_oldest_first_within_a_webhook(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    add_webhook(receiver.url("/hook"))
    receiver.script("/hook", reply(200, after=0.02))
    wanted = [emit()[0] for _ in range(40)]
    dispatcher.start()
    got = [one.headers["webhook-id"] for one in receiver.wait_for(40)]
    # Eight at a time may overtake each other, no more.
    assert all(abs(wanted.index(one) - place) <= 8 for place, one in enumerate(got))


def test_all_are_delivered_once_while_events_keep_coming(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hooks = [add_webhook(receiver.url(f"/{number}", host=HOSTS[number])) for number in range(5)]
    dispatcher.start()
    wanted = [event for _ in range(30) for event in emit(5)]
    requests = receiver.wait_for(len(wanted) * len(hooks), timeout=20)
    until(lambda: all(row.status is DeliveryStatus.SUCCESS for row in deliveries()))
    assert len(requests) == len(wanted) * len(hooks)
    for number in range(5):
        assert sorted(receiver.by_id(f"/{number}")) == sorted(wanted)
    assert threading.active_count() < 20
