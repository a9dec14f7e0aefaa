"""The dispatcher's use of Redis: wake-ups, heartbeat and counts.

All of it may fail without stopping deliveries. Without Redis, the dispatcher looks for work every second.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import redis.asyncio
import structlog
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from speakr.queue import WAKE_CHANNEL
from speakr.services.system.health import DELIVERY_COUNTS_KEY, DISPATCHER_KEY
from speakr.telemetry.deliveries import DeliveryCounts
from speakr.telemetry.log_throttle import LogThrottle

logger = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 5.0
HEARTBEAT_LIFE_SECONDS = 15
_TIMEOUT_SECONDS = 2.0
_AGAIN_SECONDS = 1.0


class RedisWakeup:
    """Listens on the wake-up channel and sends the heartbeat, until cancelled."""

    def __init__(self, redis_url: str, counts: DeliveryCounts) -> None:
        self._counts = counts
        self._redis = redis.asyncio.Redis.from_url(
            redis_url,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            socket_timeout=_TIMEOUT_SECONDS,
            health_check_interval=10,
        )
        self._log_throttle = LogThrottle()
        self._was_away = False

    async def listen(self, on_wake: Callable[[], None]) -> None:
        """Call `on_wake` for each wake-up, and after each gap in which one may have been missed."""
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(WAKE_CHANNEL)
                    self._is_back()
                    on_wake()
                    await self._listen(channel, on_wake)
            except Exception as error:  # noqa: BLE001 - recorded; a failing Redis must not stop deliveries
                self._is_away(error)
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _listen(self, channel: PubSub, on_wake: Callable[[], None]) -> None:
        while True:
            if await channel.get_message(timeout=HEARTBEAT_SECONDS) is not None:
                on_wake()

    async def beat(self) -> None:
        """Publish the heartbeat and the counts."""
        while True:
            try:
                await self._redis.set(DISPATCHER_KEY, b"1", ex=HEARTBEAT_LIFE_SECONDS)
                await self._carry_over()
            except Exception as error:  # noqa: BLE001 - as above
                self._is_away(error)
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                await asyncio.sleep(HEARTBEAT_SECONDS)

    async def stop_beating(self) -> None:
        """Remove the heartbeat at once."""
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            await self._redis.delete(DISPATCHER_KEY)
            await self._carry_over()

    async def _carry_over(self) -> None:
        taken = self._counts.take()
        if not taken:
            return
        try:
            async with self._redis.pipeline(transaction=True) as pipeline:
                for name, count in taken.items():
                    pipeline.hincrby(DELIVERY_COUNTS_KEY, name, count)
                await pipeline.execute()
        except BaseException:
            self._counts.put_back(taken)
            raise

    async def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            await self._redis.aclose()

    def _is_away(self, error: Exception) -> None:
        if self._log_throttle.allow("redis_away"):
            self._was_away = True
            effect = "deliveries start up to a second later"
            logger.warning("dispatcher_redis_away", kind=type(error).__name__, effect=effect)

    def _is_back(self) -> None:
        if self._was_away:
            self._was_away = False
            logger.info("dispatcher_redis_back")
