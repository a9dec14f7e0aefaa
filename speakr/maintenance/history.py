"""Remove old deliveries, events, sessions and e-mails, a few rows at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from speakr.db import release, unit_of_work
from speakr.services.accounts import mailing, sessions
from speakr.services.webhooks.deliveries.retention import Sweep

EVERY_SECONDS = 600.0

STEPS_IN_A_ROUND = 10

PAUSE_SECONDS = 0.1
"""Seconds between two steps, so that other writers get their turn."""


class DeliveryPurge:
    """Removes deliveries and events whose retention is over."""

    def __init__(self, ended: threading.Event) -> None:
        self._ended = ended
        self._sweep: Sweep | None = None
        self._next_sweep = time.monotonic()

    def run(self) -> None:
        """Continue a sweep, or start one when it is due."""
        if self._sweep is None:
            if time.monotonic() < self._next_sweep:
                return
            sweep = Sweep()
            sweep.begin()
            release()
            self._sweep = sweep
        for _ in range(STEPS_IN_A_ROUND):
            with unit_of_work():
                has_more = self._sweep.step()
            if not has_more:
                self._sweep, self._next_sweep = None, time.monotonic() + EVERY_SECONDS
                return
            if self._ended.wait(PAUSE_SECONDS):
                return


class _Purge:
    """Deletes old rows, step by step."""

    def __init__(self, step: Callable[[], bool]) -> None:
        self._step = step
        self._next = time.monotonic()

    def run(self) -> None:
        """Delete old rows when it is time; after a full step, go on in the next round."""
        if time.monotonic() < self._next:
            return
        with unit_of_work():
            has_more = self._step()
        if not has_more:
            self._next = time.monotonic() + EVERY_SECONDS


class SessionPurge(_Purge):
    """Removes expired sessions."""

    def __init__(self) -> None:
        super().__init__(sessions.purge)


class EmailPurge(_Purge):
    """Removes the rows of old e-mails."""

    def __init__(self) -> None:
        super().__init__(mailing.purge)
