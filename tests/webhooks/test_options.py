"""What owners may choose: how many a second, how many at once, headers of their own; and the test button."""

from __future__ import annotations

import orjson
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from speakr.db import unit_of_work
from speakr.domain.deliveries import DeliveryStatus
from speakr.domain.permissions import Actor
from speakr.services.accounts.sealing import seal
from speakr.services.webhooks import webhooks
from speakr.webhooks.rate_limiter import AHEAD_SECONDS, RateLimiter
from tests.webhooks.conftest import AddWebhook, Emit
from tests.webhooks.dispatchers import ThreadedDispatcher, until
from tests.webhooks.receiver import Receiver, hang, reply
from tests.webhooks.states import all_settled, deliveries, settled, webhook


def most_in_a_second(moments: list[float]) -> int:
    return max(sum(0 <= other - one < 1.0 for other in moments) for one in moments)


@given(
    per_second=st.integers(1, 100),
    steps=st.lists(st.tuples(st.floats(0, 2), st.integers(1, 12)), max_size=30),
)
def test_no_second_sees_more_than_its_share_however_it_is_asked_for(
    per_second: int, steps: list[tuple[float, int]]
) -> None:
    clock = [0.0]
    pace = RateLimiter(lambda: clock[0])
    starts = []
    for passed, wanted in steps:
        clock[0] += passed
        for _ in range(min(wanted, pace.now().open_starts(1, per_second))):
            wait = pace.wait_for_start(1, per_second)
            assert wait <= AHEAD_SECONDS + 1e-6
            starts.append(clock[0] + wait)
    assert not starts or starts[0] > 0.0  # as if it had just been sent to
    if starts:
        assert most_in_a_second(starts) <= per_second + 1


def test_more_may_be_claimed_when_it_says() -> None:
    clock = [100.0]
    pace = RateLimiter(lambda: clock[0])
    clock[0] += 10
    taken = pace.now().open_starts(1, 10)
    assert taken == 3
    for _ in range(taken):
        pace.wait_for_start(1, 10)
    assert pace.now().open_starts(1, 10) == 0
    clock[0] += pace.now().opens_in(1, 10, 0) + 1e-6
    assert pace.now().open_starts(1, 10) == 1


def test_a_rate_limit_is_kept_and_applies_to_one_webhook(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    add_webhook(receiver.url("/slow"), max_per_second=2)
    add_webhook(receiver.url("/free"))
    emit(5)
    dispatcher.start()
    free = receiver.wait_for(5, "/free")
    limited = receiver.wait_for(5, "/slow")
    assert most_in_a_second([one.at for one in limited]) <= 3
    assert free[-1].at < limited[-1].at
    until(all_settled)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_limit_a_second_is_kept_over_a_restart(
    app: Flask, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    add_webhook(receiver.url("/hook"), max_per_second=2)
    emit(5)
    first, second = ThreadedDispatcher(app), ThreadedDispatcher(app)
    first.start()
    receiver.wait_for(2)
    second.start()  # it stands by, and takes over at once
    first.stop()
    requests = receiver.wait_for(5)
    second.stop()
    assert most_in_a_second([one.at for one in requests]) <= 3


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_at_once_than_configured(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit, most: int
) -> None:
    add_webhook(receiver.url("/hook"), max_in_flight=most)
    receiver.script("/hook", reply(200, after=0.08))
    emit(9)
    dispatcher.start()
    requests = receiver.wait_for(9)
    assert max(sum(0 <= one.at - other.at < 0.079 for other in requests) for one in requests) <= most


def test_an_owners_headers_go_out_with_each_attempt_and_cannot_pass_for_ours(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    chosen = {
        "Authorization": "Bearer xyz",
        "X-Tenant": "caf\u00e9 1",
        "speakr-signature": "sha256=00",
        "Webhook-Id": "another",
        "HOST": "elsewhere",
        "content-length": "1",
        "X-Break": "a\r\nX-Injected: b",
        "bad name": "x",
    }
    hook = add_webhook(receiver.url("/mine"), headers_sealed=seal(orjson.dumps(chosen).decode()))
    add_webhook(receiver.url("/other"))
    receiver.script("/mine", reply(500), reply(200))
    (event,) = emit()
    dispatcher.start()
    settled(hook)
    (mine,) = receiver.requests("/mine")
    assert mine.headers["authorization"] == "Bearer xyz"
    assert mine.headers["x-tenant"].encode("latin-1").decode() == "caf\u00e9 1"
    assert mine.headers["webhook-id"] == event
    assert mine.headers["speakr-signature"] != "sha256=00"
    assert mine.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert not {"x-break", "x-injected", "bad name"} & set(mine.headers)
    (other,) = receiver.wait_for(1, "/other")
    assert not {"authorization", "x-tenant"} & set(other.headers)


def test_headers_that_cannot_be_read_hold_their_webhook_only(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    broken = add_webhook(receiver.url("/broken"), headers_sealed="sealed with another key")
    good = add_webhook(receiver.url("/good"))
    emit()
    dispatcher.start()
    assert settled(good).status is DeliveryStatus.SUCCESS
    assert deliveries(broken)[0].status is DeliveryStatus.PENDING


@pytest.mark.parametrize("tuned", [{"webhook_timeout_seconds": 2.0}], indirect=True)
def test_a_test_is_not_behind_a_backlog_and_is_tried_once(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit, owner: Actor
) -> None:
    hook = add_webhook(receiver.url("/hook"))
    receiver.script("/hook", hang())
    emit(200)
    dispatcher.start()
    receiver.wait_for(8)  # every slot is taken by a receiver that hangs
    receiver.script("/hook", reply(503, b"not now"), hang())
    with unit_of_work():
        asked = webhooks.send_test(owner, hook)
        assert asked.next_retry_at == asked.created_at
    until(lambda: deliveries(hook)[-1].attempt_count)
    row = deliveries(hook)[-1]
    assert (row.id, row.status, row.response_status) == (asked.id, DeliveryStatus.PERMANENT_FAILURE, 503)
    assert row.duration_ms is not None
    assert webhook(hook).consecutive_failures == 0


def test_every_attempt_says_how_long_it_took(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    slow, refused = add_webhook(receiver.url("/hook")), add_webhook("http://127.0.0.1:9/hook")
    none = add_webhook("http://127.0.0.2:1024/hook")
    receiver.script("/hook", reply(200, after=0.12))
    emit()
    dispatcher.start()
    until(lambda: all(row.attempt_count for row in deliveries()))
    assert 120 <= (settled(slow).duration_ms or 0) < 10_000
    assert settled(refused).duration_ms is not None
    assert (settled(none).error_message or "").startswith("connect: ")
