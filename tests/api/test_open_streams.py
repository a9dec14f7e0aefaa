"""Event streams of one user are counted in all web processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
import redis

from speakr.domain.errors import RateLimited
from speakr.web import open_streams
from speakr.web.open_streams import MAX_PER_USER, OpenStream
from tests.operations.conftest import wait_for

pytestmark = [pytest.mark.on_sqlite, pytest.mark.usefixtures("app")]
USER = 7


@pytest.fixture(autouse=True)
def _none_open(redis_connection: redis.Redis) -> Iterator[None]:
    redis_connection.delete(f"speakr:streams:{USER}")
    open_streams._open.clear()
    yield
    open_streams._open.clear()


def become_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what this process knows, as a second web process does not know it."""
    monkeypatch.setattr(open_streams, "_open", Counter())


def test_a_user_has_one_number_of_streams_in_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    streams = [OpenStream(USER) for _ in range(MAX_PER_USER // 2)]
    become_another_process(monkeypatch)
    streams += [OpenStream(USER) for _ in range(MAX_PER_USER // 2)]
    with pytest.raises(RateLimited) as refused:
        OpenStream(USER)
    assert refused.value.slug == "too_many_streams"
    OpenStream(USER + 1).close()
    streams.pop().close()
    streams.append(OpenStream(USER))
    for stream in streams:
        stream.close()
        stream.close()


def test_streams_of_a_killed_process_end_after_their_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_streams, "LEASE_SECONDS", 1)
    for _ in range(MAX_PER_USER):
        OpenStream(USER)
    become_another_process(monkeypatch)
    with pytest.raises(RateLimited):
        OpenStream(USER)

    def is_free() -> bool:
        try:
            OpenStream(USER).close()
        except RateLimited:
            return False
        return True

    wait_for(is_free, "a free place", seconds=10)


def test_a_renewed_stream_keeps_its_place(
    monkeypatch: pytest.MonkeyPatch, redis_connection: redis.Redis
) -> None:
    monkeypatch.setattr(open_streams, "LEASE_SECONDS", 1)
    stream = OpenStream(USER)
    monkeypatch.setattr(open_streams, "LEASE_SECONDS", 100)
    stream._renew_at = 0.0
    stream.renew()
    ((_, ends_at),) = redis_connection.zrange(f"speakr:streams:{USER}", 0, -1, withscores=True)
    assert ends_at - redis_connection.time()[0] > 90
    stream.close()
    assert redis_connection.zcard(f"speakr:streams:{USER}") == 0


def test_without_redis_each_process_counts_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise redis.ConnectionError

    for call in ("eval", "zrem"):
        monkeypatch.setattr(redis.Redis, call, fail)
    streams = [OpenStream(USER) for _ in range(MAX_PER_USER)]
    with pytest.raises(RateLimited):
        OpenStream(USER)
    for stream in streams:
        stream.renew()
        stream.close()
