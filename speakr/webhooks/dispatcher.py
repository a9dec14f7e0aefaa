"""The dispatcher process: sends webhook deliveries out of their table. `run` is the entry point.

The process that holds the lock (exclusivity.py) sends; the others stand by and take over within a second. It runs a send loop
(send_loop.py): cycles write outcomes and claim due deliveries (store.py), attempts send them (sender.py), within limits
(slots.py). Redis only wakes it (redis_wakeup.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Coroutine
from typing import Any

import structlog
from flask import Flask

from speakr.backends import get_backends
from speakr.db import db
from speakr.egress import AllowList
from speakr.egress.client import make_client_session
from speakr.maintenance.thread import MaintenanceThreads
from speakr.telemetry.deliveries import DeliveryCounts
from speakr.telemetry.log_throttle import LogThrottle
from speakr.webhooks.exclusivity import Exclusivity, make_exclusivity
from speakr.webhooks.redis_wakeup import RedisWakeup
from speakr.webhooks.send_loop import PendingOutcomes, SendLoop
from speakr.webhooks.sender import BODY_SECONDS, Sender
from speakr.webhooks.slots import FOR_URGENT, PER_HOST, TOTAL
from speakr.webhooks.store import DeliveryStore

logger = structlog.get_logger(__name__)

STAND_BY_SECONDS = 0.5
CHECK_LOCK_SECONDS = 0.5
_LAST_WORDS_SECONDS = 5.0
"""Time to write outcomes after a stop request, once the last attempt has ended."""

_LAST_MAINTENANCE_SECONDS = 2.0
_CANCELLATIONS = 3
_CANCELLATION_SECONDS = 2.0
_THREAD_TURN_SECONDS = 0.0005


def run(app: Flask) -> None:
    """Send deliveries until SIGTERM or SIGINT, then finish running attempts. A second signal aborts them."""
    # The event loop and the database thread take turns hundreds of times in a batch. At Python's 5 ms a turn,
    # the database waits longer for the loop than for the disk.
    sys.setswitchinterval(_THREAD_TURN_SECONDS)
    # Objects from the start live for ever. Without freezing them, each garbage collection under load would stop
    # sending for a tenth of a second.
    gc.collect()
    gc.freeze()
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(_until_signal(app))


async def _until_signal(app: Flask) -> None:
    stop = asyncio.Event()
    myself = asyncio.current_task()

    def on_signal() -> None:
        if stop.is_set() and myself is not None:
            myself.cancel()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    await serve(app, stop)


async def serve(app: Flask, stop: asyncio.Event) -> None:
    """Send deliveries until `stop` is set. The embeddable part of `run`."""
    dispatcher = Dispatcher(app)
    try:
        await dispatcher.serve(stop)
    finally:
        await dispatcher.close()


class Dispatcher:
    """Waits for the lock, runs a send loop while it holds the lock, and repeats, until stopped."""

    def __init__(self, app: Flask) -> None:
        self._settings = get_backends().settings
        self._allow_list = AllowList.parse(self._settings.webhook_allowed_hosts)
        with app.app_context():
            self._lock: Exclusivity = make_exclusivity(db.engine, self._settings.data_dir)
        self._app = app
        self._store = DeliveryStore(app)
        self._pending = PendingOutcomes()
        self._counts = DeliveryCounts()
        self._wakeup = RedisWakeup(self._settings.redis_url, self._counts)
        self._log_throttle = LogThrottle()

    async def serve(self, stop: asyncio.Event) -> None:
        """Send whenever no other process does, until `stop` is set."""
        while await self._stand_by(stop):
            try:
                await self._work(stop)
            finally:
                await self._wakeup.stop_beating()
                await self._lock.release()

    async def close(self) -> None:
        """Close the lock, the store and the session."""
        await self._lock.release()
        await self._wakeup.close()
        self._store.close()

    async def _stand_by(self, stop: asyncio.Event) -> bool:
        """Wait for the lock; return True if it is held, False on a stop request."""
        is_reported = False
        while not stop.is_set():
            if await self._lock.try_acquire():
                logger.info("dispatcher_active")
                return True
            if not is_reported:
                is_reported = True
                logger.info("dispatcher_standing_by")
            await _wait(stop, STAND_BY_SECONDS)
        return False

    async def _work(self, stop: asyncio.Event) -> None:
        """Run one send loop and its helper tasks."""
        session = make_client_session(
            self._allow_list,
            total_seconds=self._settings.webhook_timeout_seconds + 2 * BODY_SECONDS,
            connection_limit=TOTAL + FOR_URGENT,
            connections_per_host=PER_HOST + FOR_URGENT,
            proxy_url=self._settings.webhook_proxy_url,
        )
        maintenance = MaintenanceThreads(self._app)
        async with session:
            sender = Sender(
                session,
                timeout_seconds=self._settings.webhook_timeout_seconds,
                max_attempts=self._settings.webhook_max_attempts,
                is_proxied=bool(self._settings.webhook_proxy_url),
            )
            send_loop = SendLoop(self._store, sender, self._pending, self._counts)
            if not await self._take_over(stop):
                return
            maintenance.start()
            beside = [
                self._wakeup.listen(send_loop.wake),
                self._wakeup.beat(),
                self._watch_lock(send_loop),
                self._watch_stop(send_loop, stop),
            ]
            try:
                await _with(beside, send_loop.run())
            finally:
                maintenance.stop()
                await asyncio.to_thread(maintenance.join, _LAST_MAINTENANCE_SECONDS)
        logger.info("dispatcher_shift_ended", unwritten=len(self._pending))

    async def _take_over(self, stop: asyncio.Event) -> bool:
        """Release the claims of the previous dispatcher; return False if the lock was lost meanwhile."""
        while not stop.is_set() and await self._lock.is_held():
            left = self._pending.take(len(self._pending))
            try:
                settled = await self._store.take_over(left)
            except Exception as error:  # noqa: BLE001 - recorded; the database may be back in a moment
                self._pending.put(left)
                if self._log_throttle.allow("take_over_failed"):
                    logger.warning("dispatcher_take_over_failed", kind=type(error).__name__)
                await _wait(stop, 1.0)
                continue
            self._pending.put([outcome for outcome in left if outcome.delivery_id not in settled])
            return True
        return False

    async def _watch_lock(self, send_loop: SendLoop) -> None:
        while await self._lock.is_held():  # noqa: ASYNC110 - the check itself is the watching
            await asyncio.sleep(CHECK_LOCK_SECONDS)
        logger.error("dispatcher_lock_lost")
        send_loop.abort()
        await asyncio.Event().wait()

    async def _watch_stop(self, send_loop: SendLoop, stop: asyncio.Event) -> None:
        await stop.wait()
        logger.info("dispatcher_draining")
        send_loop.drain()
        await asyncio.sleep(self._settings.webhook_timeout_seconds + BODY_SECONDS + _LAST_WORDS_SECONDS)
        logger.warning("dispatcher_drain_cut_short")
        send_loop.abort()
        await asyncio.Event().wait()


async def _with(beside: list[Coroutine[Any, Any, None]], work: Coroutine[Any, Any, None]) -> None:
    """Run `work` to its end beside other tasks. Those end only by a bug; then all end."""
    companions = [asyncio.create_task(other) for other in beside]
    worker = asyncio.create_task(work)
    try:
        done, _ = await asyncio.wait([worker, *companions], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await _end({worker, *companions})


async def _end(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait for their end; a cancellation that one of them loses is repeated."""
    for _ in range(_CANCELLATIONS):
        for task in tasks:
            task.cancel()
        _, tasks = await asyncio.wait(tasks, timeout=_CANCELLATION_SECONDS)
        if not tasks:
            return
    logger.error("dispatcher_tasks_abandoned", tasks=[str(task.get_coro()) for task in tasks])


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
