"""A circuit breaker per engine, shared by all workers: Speakr does not call an engine that fails repeatedly.

Engines that work in the worker itself are never paused: their failures concern one recording or one machine.
After three failures in a row another engine is paused; jobs wait for it without using up their attempts. Then one
worker tries it while the others still skip it, and each further failure doubles the pause. An engine that asks callers
to wait is paused for as long as it says. The state is in Redis and expires soon; without Redis every engine counts as
healthy.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Final, cast

import redis
import structlog

logger = structlog.get_logger(__name__)

FAILURES_IN_A_ROW: Final = 3
FIRST_REST_SECONDS: Final = 15.0
MAX_REST_SECONDS: Final = 300.0
_MEMORY_SECONDS: Final = 900
_TRIAL_SECONDS: Final = 30
"""Seconds for which other workers wait while one tries an engine after a pause."""


_ON_REQUEST: Final = b"wish"
_FAILED: Final = b"failed"


@dataclass(frozen=True, slots=True)
class Rest:
    """How long an engine is paused. With `is_requested` the engine asked for it, and nothing failed."""

    seconds: float
    is_requested: bool


class Health:
    """The health of one engine."""

    def __init__(self, connection: redis.Redis, engine: str) -> None:
        self._redis = connection
        self._engine = engine
        self._failures = f"speakr:engine:{engine}:failures"
        self._rest = f"speakr:engine:{engine}:rest"
        self._trial = f"speakr:engine:{engine}:trial"

    def rest(self) -> Rest | None:
        """Return how long and why the engine is paused, or None when it may be called now."""
        try:
            left = self._redis.pttl(self._rest)
            if left > 0:
                return Rest(left / 1000, is_requested=self._redis.get(self._rest) == _ON_REQUEST)
            if int(cast("bytes | None", self._redis.get(self._failures)) or 0) < FAILURES_IN_A_ROW:
                return None
            may_try = self._redis.set(self._trial, 1, nx=True, ex=_TRIAL_SECONDS)
        except redis.RedisError:
            return None
        return None if may_try else Rest(1.0, is_requested=False)

    def succeeded(self) -> None:
        """Record a success: earlier failures no longer count."""
        with contextlib.suppress(redis.RedisError):
            self._redis.delete(self._failures, self._rest, self._trial)

    def failed(self) -> None:
        """Record a failure that was not caused by the request."""
        with contextlib.suppress(redis.RedisError):
            count = self._redis.incr(self._failures)
            self._redis.expire(self._failures, _MEMORY_SECONDS)
            self._redis.delete(self._trial)
            if count >= FAILURES_IN_A_ROW:
                rest = FIRST_REST_SECONDS * 2.0 ** (count - FAILURES_IN_A_ROW)
                self._pause(min(rest, MAX_REST_SECONDS), _FAILED)

    def asked_to_wait(self, seconds: float) -> None:
        """Record that the engine is healthy and asks callers to wait for so many seconds."""
        with contextlib.suppress(redis.RedisError):
            self._redis.delete(self._trial)
            self._pause(min(max(seconds, 0.001), MAX_REST_SECONDS), _ON_REQUEST)

    def _pause(self, seconds: float, why: bytes) -> None:
        self._redis.set(self._rest, why, px=round(seconds * 1000))
        logger.warning("engine_rests", engine=self._engine, seconds=round(seconds, 1))
