"""A shift: from becoming the one dispatcher until the lock is lost or the process is told to stop.

One loop of turns: each writes what attempts came to and claims what is due in their place, in one transaction.
Attempts are tasks beside it. Nothing here waits in the event loop for the database or for a receiver.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Sequence

import structlog
from sqlalchemy.exc import SQLAlchemyError

from speakr.services.deliveries.claiming import Dispatch
from speakr.services.deliveries.sending import Outcome
from speakr.telemetry.deliveries import DeliveryCounts
from speakr.webhooks.failures import Progress
from speakr.webhooks.ledger import Ledger, Turn
from speakr.webhooks.pace import Pace
from speakr.webhooks.seldom import Seldom
from speakr.webhooks.sender import Sender
from speakr.webhooks.slots import Slots

logger = structlog.get_logger(__name__)

POLL_SECONDS = 1.0
BATCH_SECONDS = 0.010
MAX_BATCH_SIZE = 500
_AGAIN_SECONDS = 0.5
_FIRST_BACKOFF_SECONDS, _MAX_BACKOFF_SECONDS = 0.1, 2.0


class Outbox:
    """Outcomes that are still to be written. It outlives a shift: what a lost one could not write, the next does."""

    def __init__(self) -> None:
        self._waiting: deque[Outcome] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, outcomes: Sequence[Outcome]) -> None:
        """Add outcomes."""
        self._waiting.extend(outcomes)

    def take(self, most: int = MAX_BATCH_SIZE) -> list[Outcome]:
        """Take the oldest ones out; whoever does not get them written puts them back."""
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]


class Shift:
    """One shift. `run` it once."""

    def __init__(self, ledger: Ledger, sender: Sender, outbox: Outbox, counts: DeliveryCounts) -> None:
        self._counts = counts
        self._ledger = ledger
        self._sender = sender
        self._outbox = outbox
        self._pace = Pace(time.monotonic)
        self._slots = Slots(self._pace)
        self._attempts: set[asyncio.Task[None]] = set()
        self._stirred = asyncio.Event()
        self._alarm: asyncio.TimerHandle | None = None
        self._late = 0
        self._is_draining = False
        self._is_over = False
        self._backoff_seconds = 0.0
        self._seldom = Seldom()

    def wake(self) -> None:
        """Look for work now."""
        self._stirred.set()

    def drain(self) -> None:
        """Claim no more; end when every outcome is written."""
        self._is_draining = True
        self.wake()

    def break_off(self) -> None:
        """Send nothing more at once: somebody else may be the one dispatcher now."""
        self._is_over = True
        for attempt in self._attempts:
            attempt.cancel()
        self.wake()

    async def run(self) -> None:
        """Send until drained or broken off."""
        while not self._is_over and not (self._is_draining and self._is_empty()):
            await self._wait()
            await self._turn()

    def _is_empty(self) -> bool:
        return not self._attempts and not self._outbox and not self._late

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._stirred.wait()
        except TimeoutError:
            pass
        self._stirred.clear()

    async def _turn(self) -> None:
        batch = self._outbox.take()
        allowance = None if self._is_draining or self._is_over else self._slots.allowance()
        try:
            turn = await self._ledger.turn(batch, allowance)
        except Exception as error:  # noqa: BLE001 - recorded in `_back_off`; the loop must outlive it
            # The database is away, or worse; what is to be written waits here and what is due waits there.
            self._outbox.put(batch)
            await self._back_off(error)
            return
        self._backoff_seconds = 0.0
        self._begin(turn)
        self._postpone([outcome for outcome in batch if outcome.delivery_id not in turn.settled])
        for delivery_id in turn.settled:
            self._slots.give_back(delivery_id)
        self._look_again_in(0.0 if len(self._outbox) >= MAX_BATCH_SIZE else turn.look_again_seconds)

    def _look_again_in(self, seconds: float | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if seconds == 0.0:
            self.wake()
        elif seconds is not None:
            self._alarm = asyncio.get_running_loop().call_later(seconds, self.wake)

    def _begin(self, turn: Turn) -> None:
        if self._is_over:
            return  # the claims are taken back by whoever is next
        for dispatch in turn.claimed:
            self._slots.take(dispatch.delivery_id, dispatch.webhook_id, dispatch.url)
            pause = 0.0
            if dispatch.max_per_second is not None:
                pause = self._pace.wait_for_start(dispatch.webhook_id, dispatch.max_per_second)
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
            # A receiver has found a way to surprise us: that is one failed attempt, not the end of all.
            if self._seldom.may_say("attempt_surprised_us"):
                logger.exception("attempt_surprised_us", webhook_id=dispatch.webhook_id)
            outcome = self._sender.failed(dispatch, error, Progress(is_https=False))
        seconds = loop.time() - started_at
        self._slots.took(dispatch.webhook_id, seconds)
        self._counts.note(
            outcome.verdict, took_seconds=seconds, waited_seconds=dispatch.waited_seconds + pause
        )
        self._write_soon([outcome])

    def _write_soon(self, outcomes: Sequence[Outcome]) -> None:
        if not self._outbox:
            asyncio.get_running_loop().call_later(BATCH_SECONDS, self.wake)
        self._outbox.put(outcomes)
        if len(self._outbox) >= MAX_BATCH_SIZE:
            self.wake()

    def _postpone(self, outcomes: Sequence[Outcome]) -> None:
        """Try again in a moment to write what could not be written now while others could."""
        if not outcomes:
            return
        self._late += len(outcomes)

        def again() -> None:
            self._late -= len(outcomes)
            self._outbox.put(outcomes)
            self.wake()

        asyncio.get_running_loop().call_later(_AGAIN_SECONDS, again)

    async def _back_off(self, error: Exception) -> None:
        doubled = max(_FIRST_BACKOFF_SECONDS, 2 * self._backoff_seconds)
        self._backoff_seconds = min(doubled, _MAX_BACKOFF_SECONDS)
        if self._seldom.may_say("dispatcher_turn_failed"):
            unforeseen = None if isinstance(error, SQLAlchemyError) else error
            kind = type(error).__name__
            logger.warning(
                "dispatcher_turn_failed", kind=kind, waiting=len(self._outbox), exc_info=unforeseen
            )
        await asyncio.sleep(self._backoff_seconds * random.uniform(0.5, 1.0))  # noqa: S311 - spreads, hides nothing
        self.wake()
