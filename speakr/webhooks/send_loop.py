"""The send loop: it runs while this process holds the dispatcher lock, until the lock is lost or the process stops.

Each cycle writes the results of attempts and claims due deliveries in their place, in one transaction.
Attempts are separate tasks. Nothing blocks the event loop for the database or for a receiver.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Sequence

import structlog
from sqlalchemy.exc import SQLAlchemyError

from speakr.services.webhooks.deliveries.claiming import Dispatch
from speakr.services.webhooks.deliveries.sending import AttemptResult
from speakr.telemetry.deliveries import DeliveryCounts
from speakr.telemetry.log_throttle import LogThrottle
from speakr.webhooks.failures import Progress
from speakr.webhooks.rate_limiter import RateLimiter
from speakr.webhooks.sender import Sender
from speakr.webhooks.slots import DeliverySlots
from speakr.webhooks.store import Cycle, DeliveryStore

logger = structlog.get_logger(__name__)

POLL_SECONDS = 1.0
BATCH_SECONDS = 0.010
MAX_BATCH_SIZE = 500
_AGAIN_SECONDS = 0.5
_FIRST_BACKOFF_SECONDS, _MAX_BACKOFF_SECONDS = 0.1, 2.0


class PendingOutcomes:
    """Outcomes that are not written yet. It outlives one send loop: the next loop writes what this one could not."""

    def __init__(self) -> None:
        self._waiting: deque[AttemptResult] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, outcomes: Sequence[AttemptResult]) -> None:
        """Add outcomes."""
        self._waiting.extend(outcomes)

    def take(self, most: int = MAX_BATCH_SIZE) -> list[AttemptResult]:
        """Remove and return the oldest ones; a caller that cannot write them puts them back."""
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]


class SendLoop:
    """Claims and sends deliveries until drained or aborted. Call `run` once."""

    def __init__(
        self, store: DeliveryStore, sender: Sender, pending: PendingOutcomes, counts: DeliveryCounts
    ) -> None:
        self._counts = counts
        self._store = store
        self._sender = sender
        self._pending = pending
        self._rate_limiter = RateLimiter(time.monotonic)
        self._slots = DeliverySlots(self._rate_limiter)
        self._attempts: set[asyncio.Task[None]] = set()
        self._stirred = asyncio.Event()
        self._alarm: asyncio.TimerHandle | None = None
        self._late = 0
        self._is_draining = False
        self._is_over = False
        self._backoff_seconds = 0.0
        self._log_throttle = LogThrottle()

    def wake(self) -> None:
        """Look for work now."""
        self._stirred.set()

    def drain(self) -> None:
        """Stop claiming; end when every outcome is written."""
        self._is_draining = True
        self.wake()

    def abort(self) -> None:
        """Stop sending at once: another process may be the dispatcher now."""
        self._is_over = True
        for attempt in self._attempts:
            attempt.cancel()
        self.wake()

    async def run(self) -> None:
        """Send until drained or aborted."""
        while not self._is_over and not (self._is_draining and self._is_empty()):
            await self._wait()
            await self._run_cycle()

    def _is_empty(self) -> bool:
        return not self._attempts and not self._pending and not self._late

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._stirred.wait()
        except TimeoutError:
            pass
        self._stirred.clear()

    async def _run_cycle(self) -> None:
        batch = self._pending.take()
        allowance = None if self._is_draining or self._is_over else self._slots.allowance()
        try:
            cycle = await self._store.run_cycle(batch, allowance)
        except Exception as error:  # noqa: BLE001 - recorded in `_back_off`; the loop must outlive it
            # The database fails: outcomes wait here, and due deliveries wait there.
            self._pending.put(batch)
            await self._back_off(error)
            return
        self._backoff_seconds = 0.0
        self._begin(cycle)
        self._postpone([outcome for outcome in batch if outcome.delivery_id not in cycle.settled])
        for delivery_id in cycle.settled:
            self._slots.release(delivery_id)
        self._look_again_in(0.0 if len(self._pending) >= MAX_BATCH_SIZE else cycle.look_again_seconds)

    def _look_again_in(self, seconds: float | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if seconds == 0.0:
            self.wake()
        elif seconds is not None:
            self._alarm = asyncio.get_running_loop().call_later(seconds, self.wake)

    def _begin(self, cycle: Cycle) -> None:
        if self._is_over:
            return  # the next dispatcher releases the claims
        for dispatch in cycle.claimed:
            self._slots.take(dispatch.delivery_id, dispatch.webhook_id, dispatch.url)
            pause = 0.0
            if dispatch.max_per_second is not None:
                pause = self._rate_limiter.wait_for_start(dispatch.webhook_id, dispatch.max_per_second)
            attempt = asyncio.create_task(self._attempt(dispatch, pause))
            self._attempts.add(attempt)
            attempt.add_done_callback(self._attempts.discard)

    async def _attempt(self, dispatch: Dispatch, pause: float) -> None:
        loop = asyncio.get_running_loop()
        if pause > 0:
            await asyncio.sleep(pause)
        started_at = loop.time()
        try:
            outcome = await self._sender.attempt(dispatch)
        except Exception as error:
            # An unexpected error of one attempt is one failed attempt; the loop continues.
            if self._log_throttle.allow("attempt_failed_unexpectedly"):
                logger.exception("attempt_failed_unexpectedly", webhook_id=dispatch.webhook_id)
            outcome = self._sender.failed(dispatch, error, Progress(is_https=False))
        seconds = loop.time() - started_at
        self._slots.took(dispatch.webhook_id, seconds)
        self._counts.note(
            outcome.verdict, took_seconds=seconds, waited_seconds=dispatch.waited_seconds + pause
        )
        self._write_soon([outcome])

    def _write_soon(self, outcomes: Sequence[AttemptResult]) -> None:
        if not self._pending:
            asyncio.get_running_loop().call_later(BATCH_SECONDS, self.wake)
        self._pending.put(outcomes)
        if len(self._pending) >= MAX_BATCH_SIZE:
            self.wake()

    def _postpone(self, outcomes: Sequence[AttemptResult]) -> None:
        """Retry shortly to write the outcomes that could not be written with the others."""
        if not outcomes:
            return
        self._late += len(outcomes)

        def again() -> None:
            self._late -= len(outcomes)
            self._pending.put(outcomes)
            self.wake()

        asyncio.get_running_loop().call_later(_AGAIN_SECONDS, again)

    async def _back_off(self, error: Exception) -> None:
        doubled = max(_FIRST_BACKOFF_SECONDS, 2 * self._backoff_seconds)
        self._backoff_seconds = min(doubled, _MAX_BACKOFF_SECONDS)
        if self._log_throttle.allow("dispatcher_cycle_failed"):
            unforeseen = None if isinstance(error, SQLAlchemyError) else error
            kind = type(error).__name__
            logger.warning(
                "dispatcher_cycle_failed", kind=kind, waiting=len(self._pending), exc_info=unforeseen
            )
        await asyncio.sleep(self._backoff_seconds * random.uniform(0.5, 1.0))  # noqa: S311 - for jitter, not for security
        self.wake()
