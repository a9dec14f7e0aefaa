"""The dispatcher runs maintenance, beside the deliveries and not before them."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest

from speakr.db import db, unit_of_work
from speakr.models import Session
from speakr.services.accounts import sessions, users
from speakr.services.system import maintenance
from tests.webhooks.conftest import AddWebhook, Emit
from tests.webhooks.dispatchers import ThreadedDispatcher, until
from tests.webhooks.receiver import Receiver
from tests.webhooks.states import all_settled

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_maintenance_goes_on_after_a_failure_and_delays_no_delivery(
    dispatcher: ThreadedDispatcher,
    receiver: Receiver,
    add_webhook: AddWebhook,
    emit: Emit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rounds: list[str] = []
    may_end = threading.Event()

    def run_maintenance() -> None:
        rounds.append(threading.current_thread().name)
        if len(rounds) == 1:
            raise RuntimeError("once")
        may_end.wait(20)

    monkeypatch.setattr(maintenance, "EVERY_SECONDS", 0.02)
    monkeypatch.setattr(maintenance, "run_maintenance", run_maintenance)
    add_webhook(receiver.url("/hook"))
    dispatcher.start()
    until(lambda: len(rounds) == 2)
    emit()
    started = time.monotonic()
    until(all_settled)
    assert time.monotonic() - started < 15  # it waits for no round
    assert set(rounds) == {"dispatcher-maintenance"}
    may_end.set()
    until(lambda: len(rounds) > 2)


def test_maintenance_deletes_expired_sessions_and_keeps_the_others(
    dispatcher: ThreadedDispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "EVERY_SECONDS", 0.02)
    with unit_of_work():
        user_id = users.create(username="carol", password="correct horse battery").id
    password_hash = users.check_password("carol", "correct horse battery").password_hash
    with unit_of_work():
        for seconds in (-1, -1, 3600):
            lifetime = timedelta(seconds=seconds)
            sessions.start_for_tokens(user_id, password_hash, "any", lifetime)
    dispatcher.start()

    def is_purged() -> bool:
        db.session.rollback()
        return db.session.query(Session).count() == 1

    until(is_purged)
