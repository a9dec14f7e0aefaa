"""Count the open event streams, so that one user cannot take all of them.

Redis counts the streams of a user in all web processes. While it is away each process counts for itself.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from typing import Final

import redis
import structlog

from speakr.backends import get_backends
from speakr.domain.errors import RateLimited, Unavailable

logger = structlog.get_logger(__name__)

MAX_PER_USER = 32
MAX_PER_PROCESS = 400
"""Fewer than the connections of a process, so that streams leave some for other requests."""

LEASE_SECONDS: Final = 60
"""For how long Redis counts a stream that has not been renewed: a killed process cannot give its places back."""

_TAKE: Final = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""
_RENEW: Final = """
redis.call('ZADD', KEYS[1], tonumber(redis.call('TIME')[1]) + tonumber(ARGV[2]), ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
"""
"""The clock is that of Redis, which all processes share."""

_lock = threading.Lock()
_open: Counter[int] = Counter()


class OpenStream:
    """A place among the streams of a user, from `__init__` to `close`. `renew` keeps it.

    Raises:
        RateLimited: the user has `MAX_PER_USER` streams open.
        Unavailable: the process has `MAX_PER_PROCESS` streams open.

    """

    def __init__(self, user_id: int) -> None:
        self._key = f"speakr:streams:{user_id}"
        self._name = uuid.uuid4().hex
        self._renew_at = 0.0
        self._user_id: int | None = None
        with _lock:
            if _open[user_id] >= MAX_PER_USER:
                raise _too_many_of_user()
            if _open.total() >= MAX_PER_PROCESS:
                raise Unavailable(
                    "The server has no event stream left. Try again later.", code="too_many_streams"
                )
            _open[user_id] += 1
        self._user_id = user_id
        if not self._take():
            self.close()
            raise _too_many_of_user()

    def renew(self) -> None:
        """Say that the stream is still open. Call it at least every `LEASE_SECONDS` / 2."""
        if time.monotonic() < self._renew_at:
            return
        self._renew_at = time.monotonic() + LEASE_SECONDS / 4
        try:
            get_backends().memory.eval(_RENEW, 1, self._key, self._name, str(LEASE_SECONDS))
        except redis.RedisError as error:
            logger.info("streams_without_redis", reason=type(error).__name__)

    def close(self) -> None:
        """Give the place back. Further calls do nothing."""
        with _lock:
            if self._user_id is None:
                return
            _open[self._user_id] -= 1
            if not _open[self._user_id]:
                del _open[self._user_id]
            self._user_id = None
        try:
            get_backends().memory.zrem(self._key, self._name)
        except redis.RedisError as error:
            logger.info("streams_without_redis", reason=type(error).__name__)

    def _take(self) -> bool:
        """Take a place among the streams of all processes; return False if there is none."""
        self._renew_at = time.monotonic() + LEASE_SECONDS / 4
        try:
            taken = get_backends().memory.eval(
                _TAKE, 1, self._key, self._name, str(MAX_PER_USER), str(LEASE_SECONDS)
            )
        except redis.RedisError as error:
            logger.info("streams_without_redis", reason=type(error).__name__)
            return True
        return bool(taken)


def _too_many_of_user() -> RateLimited:
    return RateLimited(
        f"You have {MAX_PER_USER} event streams open already. Close one first.",
        code="too_many_streams",
        retry_after_seconds=5,
    )
