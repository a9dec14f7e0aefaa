"""What is old, and what is too much, goes; what is still to be sent stays."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import event as sa_event
from sqlalchemy import select

from speakr.db import db, release, unit_of_work
from speakr.domain.clock import now
from speakr.domain.deliveries import DeliveryStatus
from speakr.maintenance import history
from speakr.maintenance.mailer import Mailer
from speakr.maintenance.thread import MaintenanceThreads
from speakr.models import Delivery, Event
from speakr.services.system import maintenance
from speakr.services.webhooks.deliveries import retention
from speakr.services.webhooks.deliveries.retention import Sweep
from tests.webhooks.claims import claim
from tests.webhooks.conftest import AddWebhook, Emit
from tests.webhooks.dispatchers import until
from tests.webhooks.states import deliveries

URL = "https://receiver.example/hook"


def age(days: float, *, first: int = 0, count: int = 10_000) -> None:
    """Make some deliveries, and their events, older."""
    chosen = [row.id for row in deliveries()][first : first + count]
    with unit_of_work() as session:
        for row in session.scalars(select(Delivery).where(Delivery.id.in_(chosen))):
            row.created_at = now() - timedelta(days=days)
            session.scalars(
                select(Event).where(Event.uuid == row.event_uuid)
            ).one().occurred_at = row.created_at


def end(*, first: int = 0, count: int = 10_000) -> None:
    chosen = [row.id for row in deliveries()][first : first + count]
    with unit_of_work() as session:
        for row in session.scalars(select(Delivery).where(Delivery.id.in_(chosen))):
            row.status, row.next_attempt_at = DeliveryStatus.SUCCESS, None


def sweep() -> int:
    """Sweep; return the number of transactions that deleted something."""
    whole = Sweep()
    whole.begin()
    release()
    steps = 0
    while True:
        with unit_of_work():
            if not whole.step():
                return steps
        steps += 1


def uuids() -> list[str]:
    release()
    return list(db.session.scalars(select(Event.uuid).order_by(Event.id)))


def test_what_is_older_than_the_retention_goes_open_or_not(add_webhook: AddWebhook, emit: Emit) -> None:
    add_webhook(URL)
    old, held, young = emit(2), emit(2), emit(3)
    age(31, count=4)
    age(29, first=4)
    end(count=2)
    sweep()
    assert [row.event_uuid for row in deliveries()] == young
    assert uuids() == young
    assert not set(old + held) & set(uuids())


def test_what_is_under_way_stays_until_it_has_ended(add_webhook: AddWebhook, emit: Emit) -> None:
    add_webhook(URL)
    emit(2)
    (first, _) = claim()
    with unit_of_work() as session:
        session.get_one(Delivery, first.delivery_id + 1).claimed_until = None
    age(31)
    sweep()
    assert [row.id for row in deliveries()] == [first.delivery_id]


def test_a_claim_that_a_crash_left_behind_keeps_nothing(add_webhook: AddWebhook, emit: Emit) -> None:
    add_webhook(URL)
    emit()
    (one,) = claim()
    age(31)
    with unit_of_work() as session:
        session.get_one(Delivery, one.delivery_id).claimed_until = now() - timedelta(days=31)
    sweep()
    assert deliveries() == []


@pytest.mark.parametrize("tuned", [{"webhook_history_rows": 4}], indirect=True)
def test_the_oldest_beyond_the_cap_go_but_none_that_is_open(add_webhook: AddWebhook, emit: Emit) -> None:
    add_webhook(URL)
    wanted = [emit()[0] for _ in range(8)]
    end(first=1)
    sweep()
    assert [row.event_uuid for row in deliveries()] == [wanted[0], *wanted[5:]]
    assert uuids() == wanted  # the first one's event may still be requested, and ids show the age
    end()
    sweep()
    first_id = deliveries()[0].id
    with unit_of_work() as session:
        session.delete(session.get_one(Delivery, first_id))
    sweep()
    assert uuids() == wanted[4:]


@pytest.mark.parametrize("tuned", [{"webhook_history_rows": 1}], indirect=True)
def test_a_cap_full_of_open_ones_deletes_nothing(add_webhook: AddWebhook, emit: Emit) -> None:
    add_webhook(URL)
    emit(5)
    assert sweep() == 0
    assert len(deliveries()) == len(uuids()) == 5


def test_a_transaction_deletes_no_more_than_a_batch(
    add_webhook: AddWebhook, emit: Emit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 3)
    monkeypatch.setattr(retention._first, "__defaults__", (3,))
    add_webhook(URL)
    emit(8)
    age(40)
    deleted: list[int] = []

    def note(_connection: object, cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("DELETE"):
            deleted.append(getattr(cursor, "rowcount", -1))

    sa_event.listen(db.engine, "after_cursor_execute", note)
    assert sweep() == 6
    sa_event.remove(db.engine, "after_cursor_execute", note)
    assert deliveries() == []
    assert len(deleted) == 6
    assert max(deleted) <= 3


def test_sending_goes_on_meanwhile(add_webhook: AddWebhook, emit: Emit) -> None:
    """A claim is not held up by what is deleted beside it, and takes nothing that is gone."""
    add_webhook(URL)
    emit(50)
    age(40, count=40)
    thread_claims: list[int] = []
    whole = Sweep()
    whole.begin()
    release()
    while True:
        with unit_of_work():
            has_more = whole.step()
        thread_claims += [one.delivery_id for one in claim(2)]
        if not has_more:
            break
    left = {row.id for row in deliveries()}
    assert len(left) >= 10
    assert set(thread_claims) <= left


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_maintenance_sweeps_in_rounds(
    app: Flask, add_webhook: AddWebhook, emit: Emit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(history, "PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(history, "STEPS_IN_A_ROUND", 1)
    mended = threading.Event()
    monkeypatch.setattr(maintenance, "run_maintenance", mended.set)
    add_webhook(URL)
    emit(5)
    age(40)
    made = MaintenanceThreads(app)
    made.start()
    until(lambda: uuids() == [])
    assert deliveries() == []
    assert mended.is_set()
    made.stop()
    made.join(5)


def test_a_mail_server_that_hangs_does_not_delay_maintenance(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "EVERY_SECONDS", 0.01)
    hangs, released, rounds = threading.Event(), threading.Event(), threading.Semaphore(0)

    def hang(_mailer: Mailer) -> None:
        hangs.set()
        released.wait(30)

    monkeypatch.setattr(Mailer, "deliver", hang)
    monkeypatch.setattr(maintenance, "run_maintenance", rounds.release)
    threads = MaintenanceThreads(app)
    threads.start()
    try:
        assert hangs.wait(10)
        assert all(rounds.acquire(timeout=10) for _ in range(3))
    finally:
        threads.stop()
        released.set()
        threads.join(10)
