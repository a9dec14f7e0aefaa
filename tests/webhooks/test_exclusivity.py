"""One dispatcher sends; others stand by, and take over when it is gone."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from speakr.backends import Backends
from speakr.db import db, unit_of_work
from speakr.services.system.health import DISPATCHER_KEY
from speakr.webhooks.exclusivity import AdvisoryLock
from tests.webhooks.conftest import AddWebhook, Emit, MakeProcess
from tests.webhooks.dispatchers import ThreadedDispatcher, until
from tests.webhooks.receiver import Receiver, reply
from tests.webhooks.states import all_settled, deliveries

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def test_two_dispatchers_send_everything_once_and_one_outlives_the_other(
    make_process: MakeProcess, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    add_webhook(receiver.url("/hook"))
    first, second = make_process(), make_process()
    first.start()
    second.start()
    until(lambda: first.has_said("dispatcher_active"))  # the session of an earlier test may still be ending
    assert second.has_said("dispatcher_standing_by")
    assert not second.has_said("dispatcher_active")
    wanted = [event for _ in range(20) for event in emit(5)]
    receiver.wait_for(100)
    until(all_settled)
    assert {key: len(sent) for key, sent in receiver.by_id().items()} == dict.fromkeys(wanted, 1)

    died_at = time.time()
    first.kill()
    (last,) = emit()
    request = receiver.wait_for(101)[-1]
    assert request.headers["webhook-id"] == last
    assert request.at - died_at < 10.0
    until(all_settled)
    assert second.stop() == 0


def test_a_dispatcher_that_stops_hands_over_at_once(
    make_process: MakeProcess, receiver: Receiver, add_webhook: AddWebhook, emit: Emit, app: Flask
) -> None:
    add_webhook(receiver.url("/hook"))
    first, second = make_process(), make_process()
    first.start()
    second.start()
    assert first.stop() == 0
    until(lambda: second.has_said("dispatcher_active"))
    emit()
    receiver.wait_for(1)


def test_losing_the_lock_stops_the_sending(
    dispatcher: ThreadedDispatcher,
    receiver: Receiver,
    add_webhook: AddWebhook,
    emit: Emit,
    app: Flask,
) -> None:
    hook = add_webhook(receiver.url("/hook"))
    receiver.script("/hook", reply(200, after=1.2), reply(200))
    dispatcher.start()
    emit()
    receiver.wait_for(1)
    if db.engine.dialect.name == "postgresql":
        with unit_of_work() as session:
            session.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
            )
    else:
        Path(str(db.engine.url.database)).with_name("dispatcher.lock").unlink()
    # It stops, becomes the one again, and sends what it had broken off: not the same attempt twice counted.
    first, second = receiver.wait_for(2)
    assert second.at - first.at < 2.0
    assert first.body == second.body
    until(all_settled)
    (row,) = deliveries(hook)
    assert row.attempt_count == 1


def test_only_the_active_dispatcher_shows_that_it_lives(
    dispatcher: ThreadedDispatcher, app: Flask, backends: Backends
) -> None:
    redis = backends.redis
    assert not redis.exists(DISPATCHER_KEY)
    dispatcher.start()
    until(lambda: redis.exists(DISPATCHER_KEY))
    assert 10 < redis.ttl(DISPATCHER_KEY) <= 15
    dispatcher.stop()
    assert not redis.exists(DISPATCHER_KEY)


@on_postgresql
def test_a_check_of_the_lock_cancelled_while_its_session_ends_is_cancelled(app: Flask) -> None:
    """The driver turns such a cancellation into an error of its own, and the task would go on."""

    engine = db.engine

    async def check_and_cancel(*, ends_session: bool) -> float:
        lock = AdvisoryLock(engine)
        assert await lock.try_acquire()
        check = asyncio.create_task(lock.ask("SELECT pg_sleep(10) IS NULL", ()))
        await asyncio.to_thread(_until_asleep, engine, ends_session=ends_session)
        began = time.monotonic()
        check.cancel()
        with pytest.raises(asyncio.CancelledError):
            await check
        return time.monotonic() - began

    for ends_session in (True, False):  # the latter leaves a session behind that sleeps on, with the lock
        assert asyncio.run(check_and_cancel(ends_session=ends_session)) < 5.0


def _until_asleep(engine: Engine, *, ends_session: bool) -> None:
    sleeping = text(
        "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
    )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        until(lambda: connection.execute(sleeping).scalar() is not None)
        if ends_session:
            connection.execute(
                text("SELECT pg_terminate_backend(:pid)"), {"pid": connection.execute(sleeping).scalar()}
            )
