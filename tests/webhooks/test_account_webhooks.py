"""A delivery to an account webhook gets three attempts; others get those of the server."""

from __future__ import annotations

import pytest
from flask import Flask

from speakr.db import db, unit_of_work
from speakr.domain.deliveries import DeliveryStatus
from speakr.domain.events import TranscriptionCompleted
from speakr.domain.permissions import Actor
from speakr.models import Delivery, Recording
from speakr.services.webhooks import events
from speakr.services.webhooks.account_webhooks import MAX_ATTEMPTS
from tests.webhooks.conftest import AddWebhook
from tests.webhooks.dispatchers import ThreadedDispatcher, until
from tests.webhooks.receiver import Receiver, reply


def status_of(webhook_id: int) -> DeliveryStatus:
    db.session.rollback()
    (delivery,) = db.session.query(Delivery).filter_by(webhook_id=webhook_id)
    return delivery.status


def attempts_of(webhook_id: int) -> int:
    db.session.rollback()
    (delivery,) = db.session.query(Delivery).filter_by(webhook_id=webhook_id)
    return delivery.attempt_count


@pytest.mark.parametrize("used", [MAX_ATTEMPTS - 2, MAX_ATTEMPTS - 1])
def test_the_last_of_three_attempts_ends_the_delivery(
    app: Flask,
    owner: Actor,
    dispatcher: ThreadedDispatcher,
    receiver: Receiver,
    add_webhook: AddWebhook,
    used: int,
) -> None:
    account = add_webhook(receiver.url("/account"), preference="some_webhook_url", payload="flat")
    other = add_webhook(receiver.url("/other"))
    receiver.script_all(reply(500))
    with unit_of_work() as session:
        recording = Recording(
            user_id=owner.user_id, title="A title", original_filename="a.wav", mime_type="audio/wav",
            file_size=10, sha256="0" * 64,
        )  # fmt: skip
        session.add(recording)
        session.flush()
        fact = TranscriptionCompleted(recording_id=recording.id, title="A title")
        events.record(owner.user_id, fact, recording_id=recording.id)
        session.flush()
        session.query(Delivery).update({"attempt_count": used})
    dispatcher.start()
    until(lambda: attempts_of(account) == attempts_of(other) == used + 1)
    is_last = used + 1 == MAX_ATTEMPTS
    assert status_of(account) == (DeliveryStatus.PERMANENT_FAILURE if is_last else DeliveryStatus.FAILED)
    assert status_of(other) == DeliveryStatus.FAILED
