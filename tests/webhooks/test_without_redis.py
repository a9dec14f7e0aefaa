"""Redis only carries wake-ups: without it deliveries start up to a second later, and that is all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from speakr.settings import Settings
from tests.servers import RedisServer, redis_server
from tests.webhooks.conftest import AddWebhook, Emit, MakeProcess
from tests.webhooks.dispatchers import ThreadedDispatcher, until
from tests.webhooks.receiver import Receiver
from tests.webhooks.states import all_settled

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def settings(settings: Settings, own_redis: RedisServer) -> Settings:
    return replace(settings, redis_url=own_redis.url)


def arrival(receiver: Receiver, emit: Emit) -> float:
    """Return the seconds from the commit of one event to its arrival."""
    before = len(receiver.requests())
    emit()
    committed_at = time.time()
    return receiver.wait_for(before + 1)[-1].at - committed_at


def test_deliveries_go_on_while_redis_is_away_and_hurry_again_when_it_is_back(
    dispatcher: ThreadedDispatcher,
    receiver: Receiver,
    add_webhook: AddWebhook,
    emit: Emit,
    own_redis: RedisServer,
) -> None:
    add_webhook(receiver.url("/hook"))
    dispatcher.start()
    emit()
    receiver.wait_for(1)
    time.sleep(0.2)
    assert min(arrival(receiver, emit) for _ in range(3)) < 0.3

    own_redis.kill()
    assert max(arrival(receiver, emit) for _ in range(3)) < 1.3
    until(all_settled)

    own_redis.start()
    time.sleep(1.3)
    assert min(arrival(receiver, emit) for _ in range(3)) < 0.3


def test_a_dispatcher_starts_without_redis_and_says_so_once(
    make_process: MakeProcess,
    receiver: Receiver,
    add_webhook: AddWebhook,
    emit: Emit,
    own_redis: RedisServer,
) -> None:
    add_webhook(receiver.url("/hook"))
    own_redis.kill()
    process = make_process()
    process.start()
    for _ in range(3):
        assert arrival(receiver, emit) < 1.3
    until(all_settled)
    assert process.stop() == 0
    assert process.said().count("dispatcher_redis_away") == 1
