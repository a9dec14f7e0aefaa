"""Limit how many chunks an engine transcribes at the same time, counted over all workers.

A slot is a member of a sorted set in Redis whose score is the end of its lease, so the slot of a dead worker becomes
free by itself. Without Redis there is no limit: an engine with too many requests answers that it is busy, and the
circuit breaker pauses it.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import redis
import structlog

from speakr.domain.errors import ConnectorBusy

logger = structlog.get_logger(__name__)

LEASE_SECONDS: Final = 15.0
MAX_WAIT_SECONDS: Final = 300.0
"""Seconds. Then the job is requeued, so that its worker may do other work."""
_LOOK_SECONDS: Final = 0.2

_TAKE = """
local moment = redis.call('TIME')
local now = moment[1] * 1000 + math.floor(moment[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZSCORE', KEYS[1], ARGV[1]) == false and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[3]))
return 1
"""
"""Take a slot or renew its lease, by the clock of Redis, because those of workers may differ."""


class EngineSlots:
    """The slots of one engine; `limit` 0 is no limit."""

    def __init__(self, connection: redis.Redis, engine: str, limit: int) -> None:
        self._redis = connection
        self._engine = engine
        self._key = f"speakr:engine:{engine}:slots"
        self._limit = limit

    @contextlib.contextmanager
    def acquire_slot(self, heartbeat: Callable[[], None]) -> Iterator[None]:
        """Wait for a slot and occupy it inside the context.

        Raises:
            ConnectorBusy: no slot became free within `MAX_WAIT_SECONDS`.

        """
        if self._limit <= 0:
            yield
            return
        token = secrets.token_hex(8)
        deadline = time.monotonic() + MAX_WAIT_SECONDS
        while not self._take(token):
            if time.monotonic() > deadline:
                raise ConnectorBusy("The transcription engine is busy with other recordings.")
            time.sleep(_LOOK_SECONDS)
            heartbeat()
        done = threading.Event()
        # An engine may block the interpreter for long, so a thread renews the lease.
        keeper = threading.Thread(target=self._keep, args=(token, done), daemon=True, name="engine-slot")
        keeper.start()
        try:
            yield
        finally:
            done.set()
            keeper.join()
            with contextlib.suppress(redis.RedisError):
                self._redis.zrem(self._key, token)

    def _take(self, token: str) -> bool:
        try:
            taken = self._redis.eval(_TAKE, 1, self._key, token, self._limit, round(LEASE_SECONDS * 1000))
        except redis.RedisError:
            logger.warning("engine_slots_not_counted", engine=self._engine)
            return True
        return bool(taken)

    def _keep(self, token: str, done: threading.Event) -> None:
        while not done.wait(LEASE_SECONDS / 3):
            self._take(token)
