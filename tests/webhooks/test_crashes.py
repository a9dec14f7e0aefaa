"""Nothing that dies takes a delivery along."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from speakr.domain.deliveries import DeliveryStatus
from tests.webhooks.conftest import AddWebhook, Emit, MakeProcess
from tests.webhooks.dispatchers import ThreadedDispatcher, until
from tests.webhooks.receiver import Receiver, hang, reply
from tests.webhooks.states import all_settled, deliveries


def test_a_killed_dispatcher_loses_nothing_and_spends_no_attempt(
    make_process: MakeProcess, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(receiver.url("/hook"))
    receiver.script("/hook", hang())
    wanted = emit(20)
    first = make_process()
    first.start()
    before = receiver.wait_for(8)
    first.kill()
    assert all(row.attempt_count == 0 for row in deliveries(hook))

    receiver.script("/hook", reply(200))
    second = make_process()
    second.start()
    active_at = time.time()
    after = receiver.wait_for(8 + 20)[8:]
    assert after[0].at - active_at < 10.0
    until(all_settled)
    assert Counter(one.headers["webhook-id"] for one in after) == Counter(wanted)
    bodies = {one.headers["webhook-id"]: one.body for one in after}
    assert all(bodies[one.headers["webhook-id"]] == one.body for one in before)
    rows = deliveries(hook)
    assert {row.status for row in rows} == {DeliveryStatus.SUCCESS}
    assert {row.attempt_count for row in rows} == {1}
    assert second.stop() == 0


def test_many_kills_under_load(
    make_process: MakeProcess, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hooks = [add_webhook(receiver.url(f"/{n}", host=f"127.0.1.{n + 1}")) for n in range(4)]
    receiver.script_all(reply(200, after=0.02))
    wanted = emit(150)
    kills = 3
    for round_number in range(kills):
        victim = make_process()
        victim.start()
        receiver.wait_for(60 * (round_number + 1))
        victim.kill()
    make_process().start()
    until(all_settled, timeout=30)
    for n in range(4):
        sent = receiver.by_id(f"/{n}")
        assert sorted(sent) == sorted(wanted)
        assert all(len({one.body for one in requests}) == 1 for requests in sent.values())
    repeats = len(receiver.requests()) - len(wanted) * len(hooks)
    assert repeats <= kills * 8 * len(hooks)
    assert {row.attempt_count for row in deliveries()} == {1}


def test_stopping_finishes_what_is_under_way_and_begins_nothing(
    make_process: MakeProcess, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(receiver.url("/hook"))
    receiver.script("/hook", reply(200, after=0.8))
    process = make_process()
    process.start()
    emit(12)
    receiver.wait_for(8)
    sent_at = time.monotonic()
    assert process.stop() == 0
    assert 0.5 < time.monotonic() - sent_at < 8.0
    assert Counter(row.status for row in deliveries(hook)) == {
        DeliveryStatus.SUCCESS: 8,
        DeliveryStatus.PENDING: 4,
    }
    assert all(row.claimed_until is None for row in deliveries(hook))
    assert len(receiver.requests()) == 8


@pytest.mark.parametrize("tuned", [{"webhook_timeout_seconds": 2.0}], indirect=True)
def test_stopping_waits_for_a_receiver_that_hangs_only_as_long_as_an_attempt_may_take(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(receiver.url("/hook"))
    receiver.script("/hook", hang())
    dispatcher.start()
    emit()
    receiver.wait_for(1)
    sent_at = time.monotonic()
    dispatcher.stop()
    assert time.monotonic() - sent_at < 8.0
    (row,) = deliveries(hook)
    assert (row.status, row.attempt_count) == (DeliveryStatus.FAILED, 1)


@pytest.mark.parametrize("tuned", [{"webhook_timeout_seconds": 30.0}], indirect=True)
def test_a_second_signal_ends_it_at_once(
    make_process: MakeProcess, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(receiver.url("/hook"))
    receiver.script("/hook", hang())
    process = make_process()
    process.start()
    emit()
    receiver.wait_for(1)
    assert process.process is not None
    process.process.terminate()
    until(lambda: process.has_said("dispatcher_draining"))
    sent_at = time.monotonic()
    process.stop()
    assert time.monotonic() - sent_at < 15.0
    assert deliveries(hook)[0].attempt_count == 0
