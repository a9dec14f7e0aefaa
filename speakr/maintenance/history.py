"""Remove old deliveries, events and sessions, a few rows at a time."""

from __future__ import annotations

import threading
import time

from speakr.db import release, unit_of_work
from speakr.services.accounts import sessions
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


class SessionPurge:
    """Removes expired sessions."""

    def __init__(self) -> None:
        self._next = time.monotonic()

    def run(self) -> None:
        """Delete expired sessions when it is time; after a full step, go on in the next round."""
        if time.monotonic() < self._next:
            return
        with unit_of_work():
            has_more = sessions.purge()
        if not has_more:
            self._next = time.monotonic() + EVERY_SECONDS
