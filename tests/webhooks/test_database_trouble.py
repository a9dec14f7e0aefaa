"""A database that fails, waits or loses its answer loses no outcome, and Speakr sends nothing twice."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from speakr.db import db, unit_of_work
from speakr.domain.deliveries import DeliveryStatus
from speakr.models import Webhook
from speakr.services.webhooks.deliveries import sending
from speakr.services.webhooks.deliveries.sending import AttemptResult
from speakr.webhooks import store
from tests.webhooks.conftest import AddWebhook, Emit
from tests.webhooks.dispatchers import ThreadedDispatcher, until
from tests.webhooks.receiver import Receiver, reply
from tests.webhooks.states import all_settled, deliveries

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def away() -> OperationalError:
    return OperationalError("UPDATE", {}, Exception("the database is away"))


def test_outcomes_wait_for_a_database_that_is_away(
    dispatcher: ThreadedDispatcher,
    receiver: Receiver,
    add_webhook: AddWebhook,
    emit: Emit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_webhook(receiver.url("/hook"))
    settle, refusals = sending.settle, []

    def failing(outcomes: list[AttemptResult]) -> set[int]:
        if len(refusals) < 8:
            refusals.append(len(outcomes))
            raise away()
        return settle(outcomes)

    monkeypatch.setattr(sending, "settle", failing)
    wanted = emit(5)
    dispatcher.start()
    until(all_settled)
    assert len(refusals) == 8
    assert Counter(one.headers["webhook-id"] for one in receiver.requests()) == Counter(wanted)
    assert {row.attempt_count for row in deliveries()} == {1}


@on_postgresql
def test_an_answer_that_cannot_be_stored_costs_no_other(
    dispatcher: ThreadedDispatcher,
    receiver: Receiver,
    add_webhook: AddWebhook,
    emit: Emit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PostgreSQL refuses NUL; were it not replaced before, only its own row may suffer."""
    monkeypatch.setattr(sending, "storable", lambda given, _longest: given)
    poison, good = add_webhook(receiver.url("/poison")), add_webhook(receiver.url("/good"))
    receiver.script("/poison", reply(200, b"a\x00b"))
    wanted = emit(6)
    dispatcher.start()
    until(all_settled)
    assert {row.response_body_preview for row in deliveries(good)} == {"ok"}
    for row in deliveries(poison):
        assert (row.status, row.attempt_count) == (DeliveryStatus.SUCCESS, 1)
        assert (row.response_body_preview, row.error_message) == (None, "The answer could not be stored.")
    assert len(receiver.requests()) == 2 * len(wanted)


@on_postgresql
def test_a_locked_webhook_delays_no_other(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    held, free = add_webhook(receiver.url("/held")), add_webhook(receiver.url("/free"))
    emit(3)
    with db.engine.connect() as bystander:
        bystander.execute(text("SELECT id FROM webhooks WHERE id = :id FOR UPDATE"), {"id": held})
        dispatcher.start()
        until(lambda: all(row.status is DeliveryStatus.SUCCESS for row in deliveries(free)))
        assert len(receiver.wait_for(3, "/held")) == 3
        assert {row.status for row in deliveries(held)} == {DeliveryStatus.PENDING}
        bystander.rollback()
    until(all_settled)
    assert len(receiver.requests("/held")) == 3
    assert {row.attempt_count for row in deliveries(held)} == {1}


@on_postgresql
def test_restarts_of_the_database_lose_nothing(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(receiver.url("/hook"))
    receiver.script("/hook", reply(200, after=0.02))
    dispatcher.start()
    wanted = []
    for _ in range(3):
        wanted += emit(40)
        time.sleep(0.2)
        with unit_of_work() as session:
            session.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
                )
            )
    until(all_settled)
    sent = receiver.by_id()
    assert sorted(sent) == sorted(wanted)
    assert len(receiver.requests()) - len(wanted) <= 3 * 8
    assert {row.attempt_count for row in deliveries(hook)} == {1}


@pytest.mark.on_sqlite
def test_a_locked_database_delays_and_loses_nothing(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(receiver.url("/hook"))
    receiver.script("/hook", reply(200, after=0.3))
    wanted = emit(4)
    dispatcher.start()
    receiver.wait_for(4)
    other = sqlite3.connect(str(db.engine.url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    time.sleep(1.0)
    assert {row.status for row in deliveries(hook)} == {DeliveryStatus.PENDING}
    other.execute("ROLLBACK")
    other.close()
    until(all_settled)
    assert len(receiver.requests()) == len(wanted)
    assert {row.attempt_count for row in deliveries(hook)} == {1}


def test_claims_whose_commit_was_never_confirmed_are_found_again(
    dispatcher: ThreadedDispatcher,
    receiver: Receiver,
    add_webhook: AddWebhook,
    emit: Emit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hook = add_webhook(receiver.url("/hook"))
    emit(3)
    lost = []

    @contextmanager
    def forgetful() -> Iterator[Session]:
        with unit_of_work() as session:
            yield session
        if not lost and any(row.claimed_until for row in deliveries(hook)):
            lost.append(True)
            raise away()

    monkeypatch.setattr(store, "unit_of_work", forgetful)
    dispatcher.start()
    until(all_settled)
    assert lost
    assert len(receiver.requests()) == 3


def test_a_webhook_deleted_by_hand_with_its_rows_in_flight(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook, other = add_webhook(receiver.url("/hook")), add_webhook(receiver.url("/other"))
    receiver.script_all(reply(200, after=0.2))
    emit(2)
    dispatcher.start()
    receiver.wait_for(4)
    with unit_of_work() as session:
        session.delete(session.get_one(Webhook, hook))
    until(all_settled)
    assert len(deliveries(other)) == 2
    assert deliveries(hook) == []
