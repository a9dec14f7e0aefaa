"""A delivery that its owner calls off while it is under way."""

from __future__ import annotations

from datetime import timedelta

import pytest

from speakr.db import unit_of_work
from speakr.domain.deliveries import DeliveryStatus, Verdict
from speakr.domain.permissions import Actor
from speakr.models import Delivery
from speakr.services.webhooks.deliveries import recovery, retention
from tests.webhooks.claims import claim, outcome, settle
from tests.webhooks.conftest import AddWebhook, Emit
from tests.webhooks.states import deliveries, webhook

URL = "https://receiver.example/hook"


@pytest.fixture
def hook(add_webhook: AddWebhook) -> int:
    return add_webhook(URL)


def test_one_that_arrives_all_the_same_has_arrived(owner: Actor, hook: int, emit: Emit) -> None:
    emit()
    (taken,) = claim()
    assert recovery.cancel_all(owner, hook) == 1
    settle(outcome(taken, Verdict.DELIVERED, response_status=200))
    (row,) = deliveries()
    assert (row.status, row.claimed_until, row.attempt_count) == (DeliveryStatus.SUCCESS, None, 1)
    assert (row.error_message, row.response_status) == (None, 200)


@pytest.mark.parametrize("verdict", [Verdict.RETRY, Verdict.GIVE_UP])
def test_one_that_fails_stays_called_off_and_is_no_failure(
    owner: Actor, hook: int, emit: Emit, verdict: Verdict
) -> None:
    emit()
    (taken,) = claim()
    with unit_of_work():
        recovery.cancel(owner, hook, taken.delivery_id)
    settle(outcome(taken, verdict, retry_in_seconds=1.0 if verdict is Verdict.RETRY else None))
    (row,) = deliveries()
    assert (row.status, row.next_attempt_at) == (DeliveryStatus.PERMANENT_FAILURE, None)
    assert row.error_message == "Cancelled by its owner."
    assert webhook(hook).consecutive_failures == 0
    assert claim() == []


def test_one_that_was_called_off_before_is_not_sent(owner: Actor, hook: int, emit: Emit) -> None:
    emit(3)
    assert recovery.cancel_all(owner, hook) == 3
    assert claim() == []


def test_a_delivery_without_an_outcome_is_purged_with_the_old(owner: Actor, hook: int, emit: Emit) -> None:
    emit()
    (taken,) = claim()
    recovery.cancel_all(owner, hook)
    with unit_of_work() as session:
        session.get_one(Delivery, taken.delivery_id).created_at -= timedelta(days=400)
    sweep = retention.Sweep()
    sweep.begin()
    with unit_of_work():
        assert sweep.step()
    assert deliveries() == []
