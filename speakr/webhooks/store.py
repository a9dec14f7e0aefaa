"""The dispatcher's only way to the database: one thread, one transaction at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import structlog
from flask import Flask
from sqlalchemy.exc import InterfaceError, OperationalError

from speakr.db import unit_of_work
from speakr.services.webhooks.deliveries import claiming, sending
from speakr.services.webhooks.deliveries.claiming import Dispatch
from speakr.services.webhooks.deliveries.sending import AttemptResult
from speakr.telemetry.log_throttle import LogThrottle
from speakr.webhooks.slots import SendAllowance

logger = structlog.get_logger(__name__)

T = TypeVar("T")

_ROWS_BEFORE_GIVING_UP = 3
_UNSTORABLE = "The answer could not be stored."


@dataclass(frozen=True, slots=True)
class Cycle:
    """What one cycle did. `look_again_seconds`: there may be more to claim so soon."""

    settled: frozenset[int]
    claimed: Sequence[Dispatch]
    look_again_seconds: float | None = None


class DeliveryStore:
    """Runs transactions in a thread of its own, each in a fresh app context, which takes its session along."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="dispatcher-database")
        self._log_throttle = LogThrottle()
        self._has_lost_claims = False

    async def run_cycle(self, outcomes: Sequence[AttemptResult], allowance: SendAllowance | None) -> Cycle:
        """Write outcomes and, unless `allowance` is None, claim what is due; both in one transaction."""
        return await self._run(lambda: self._cycle(outcomes, allowance))

    async def take_over(self, outcomes: Sequence[AttemptResult]) -> frozenset[int]:
        """Start as the only dispatcher: write the remaining outcomes, then release every claim."""
        return await self._run(lambda: self._take_over(outcomes))

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _run(self, action: Callable[[], T]) -> T:
        def in_context() -> T:
            with self._app.app_context():
                return action()

        return await asyncio.get_running_loop().run_in_executor(self._thread, in_context)

    def _cycle(self, outcomes: Sequence[AttemptResult], allowance: SendAllowance | None) -> Cycle:
        try:
            with unit_of_work():
                settled = frozenset(sending.settle(outcomes)) if outcomes else frozenset()
                if allowance is not None and self._has_lost_claims:
                    claiming.unclaim_all(but=allowance.under_way)
                claimed, look_again_seconds = _claim(allowance, settled)
        except Exception:
            # A commit whose result was lost may have claimed deliveries that no process will send.
            self._has_lost_claims = self._has_lost_claims or allowance is not None
            if not outcomes:
                raise
            return Cycle(self._settle_one_by_one(outcomes), [], look_again_seconds=0.0)
        self._has_lost_claims = self._has_lost_claims and allowance is None
        return Cycle(settled, claimed, look_again_seconds)

    def _take_over(self, outcomes: Sequence[AttemptResult]) -> frozenset[int]:
        settled = self._settle_one_by_one(outcomes)
        with unit_of_work():
            claiming.unclaim_all()
        self._has_lost_claims = False
        return settled

    def _settle_one_by_one(self, outcomes: Sequence[AttemptResult]) -> frozenset[int]:
        """Write each outcome in a transaction of its own, so that one that cannot be stored does not block others.

        Raises when the first few all fail because of the database: then it is unavailable, and all of them wait.
        """
        settled: set[int] = set()
        failed = 0
        for outcome in outcomes:
            try:
                settled |= self._settle_alone(outcome)
            except (OperationalError, InterfaceError):
                failed += 1
                if failed >= min(_ROWS_BEFORE_GIVING_UP, len(outcomes)) and not settled:
                    raise
            except Exception:
                if self._log_throttle.allow("outcome_not_written"):
                    logger.exception("outcome_not_written", delivery_id=outcome.delivery_id)
        return frozenset(settled)

    def _settle_alone(self, outcome: AttemptResult) -> set[int]:
        try:
            with unit_of_work():
                return sending.settle([outcome])
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:  # noqa: BLE001 - a driver may refuse a text with any error; recorded
            # The receiver's text cannot be stored, but the result of the attempt can.
            logger.warning("answer_unstorable", delivery_id=outcome.delivery_id, kind=type(error).__name__)
            with unit_of_work():
                return sending.settle([replace(outcome, preview=None, error=_UNSTORABLE)])


def _claim(
    allowance: SendAllowance | None, settled: frozenset[int]
) -> tuple[Sequence[Dispatch], float | None]:
    if allowance is None:
        return [], None
    shares = allowance.share(claiming.webhooks_with_work(), settled)
    claimed = claiming.claim_due(shares.given, shares.urgent)
    # With no slot left, an unused slot could have gone to another webhook.
    is_short = shares.left == 0 and 0 < len(claimed) < sum(count for _, count in shares.given)
    return claimed, 0.0 if is_short else shares.look_again_seconds
