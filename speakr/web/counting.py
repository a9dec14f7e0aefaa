"""Count in fixed windows: in Redis for all processes together, or per process while Redis is away."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Final

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = structlog.get_logger(__name__)

WINDOW_SECONDS: Final = 60
_REDIS_TIMEOUT_SECONDS = 0.5
"""Redis must not delay a request for longer."""
_AWAY_SECONDS = 5.0
"""Seconds without calls to Redis after it failed, so that not every request waits for it."""
_SWEEP_AT = 10_000
"""With this many windows in memory, ended ones are removed."""

_COUNT: Final = """
local found = {}
for _, key in ipairs(KEYS) do
  local count = redis.call('INCR', key)
  local left = redis.call('PTTL', key)
  if left < 0 then
    redis.call('PEXPIRE', key, ARGV[1])
    left = tonumber(ARGV[1])
  end
  table.insert(found, {count, left})
end
return found
"""
"""One round trip, in which no counter is ever without an expiry."""


@dataclass(frozen=True, slots=True)
class Window:
    """How often something happened in the current minute, and when that minute ends."""

    count: int
    seconds_left: float


def connect(redis_url: str) -> redis.Redis:
    """Return a connection that gives up soon, because requests wait for it."""
    return redis.Redis.from_url(
        redis_url,
        socket_connect_timeout=_REDIS_TIMEOUT_SECONDS,
        socket_timeout=_REDIS_TIMEOUT_SECONDS,
        # A pooled connection may be older than the Redis process: try once more, but not after a timeout.
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )


class Counter:
    """Counts in Redis; while it is away each process counts for itself, so no caller is refused for that."""

    def __init__(self, redis_url: str) -> None:
        self._count = connect(redis_url).register_script(_COUNT)
        self._away_until = 0.0
        self._windows: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def hit(self, *keys: str) -> list[Window]:
        """Count one more under each key."""
        moment = time.monotonic()
        if moment < self._away_until:
            return [self._hit_here(key) for key in keys]
        if self._away_until:
            self._away_until = moment + _AWAY_SECONDS  # this one tries; the others do not wait with it
        try:
            found = self._count(keys=keys, args=[WINDOW_SECONDS * 1000])
        except redis.RedisError as error:
            self._away_until = time.monotonic() + _AWAY_SECONDS
            logger.warning("rate_limits_without_redis", reason=type(error).__name__)
            return [self._hit_here(key) for key in keys]
        self._away_until = 0.0
        return [Window(count, milliseconds / 1000) for count, milliseconds in found]

    def _hit_here(self, key: str) -> Window:
        moment = time.monotonic()
        with self._lock:
            if len(self._windows) >= _SWEEP_AT:
                self._windows = {name: known for name, known in self._windows.items() if known[1] > moment}
            count, ends_at = self._windows.get(key, (0, 0.0))
            if ends_at <= moment:
                count, ends_at = 0, moment + WINDOW_SECONDS
            self._windows[key] = (count + 1, ends_at)
        return Window(count + 1, ends_at - moment)
