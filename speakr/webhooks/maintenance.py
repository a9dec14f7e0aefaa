"""Maintenance in the dispatcher's process, in a thread of its own so that it never delays a delivery."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog
from flask import Flask

from speakr.backends import get_backends
from speakr.db import release, unit_of_work
from speakr.services.accounts import sessions
from speakr.services.system import maintenance, orphans
from speakr.services.webhooks.deliveries.retention import Sweep
from speakr.webhooks.log_throttle import LogThrottle
from speakr.webhooks.mailer import Mailer

logger = structlog.get_logger(__name__)

SWEEP_EVERY_SECONDS = 600.0
STEPS_IN_A_ROUND = 10
"""Seconds between two rounds."""

PAUSE_SECONDS = 0.1
"""Seconds between two steps, so that other writers get their turn."""

ORPHANS_EVERY_SECONDS = 6 * 3600.0
ORPHANS_AFTER_SECONDS = 300.0
"""Seconds before the first search, so that it does not slow a start or restart."""


class MaintenanceThread:
    """A thread that runs maintenance every two seconds, sends mail and removes old deliveries, orphans and expired sessions, from `start` to `stop`.

    It is a daemon thread: maintenance that waits for a lost Redis must not delay the end of the
    process.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._ended = threading.Event()
        self._thread = threading.Thread(
            target=self._work_for_ever, name="dispatcher-maintenance", daemon=True
        )
        self._log_throttle = LogThrottle()
        settings = get_backends().settings
        self._mailer = Mailer(settings.smtp_url, settings.mail_from)
        self._sweep: Sweep | None = None
        self._next_sweep = time.monotonic()
        self._orphans: orphans.Sweep | None = None
        self._next_orphans = time.monotonic() + ORPHANS_AFTER_SECONDS
        self._next_sessions = time.monotonic()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the running task, without waiting for it."""
        self._ended.set()

    def join(self, seconds: float) -> None:
        """Wait for the end, at most this many seconds. Blocks, so do not call it in the event loop."""
        self._thread.join(seconds)

    def _work_for_ever(self) -> None:
        chores: dict[str, Callable[[], None]] = {
            "mail_failed": self._mailer.deliver,
            "maintenance_failed": maintenance.run_maintenance,
            "sweeping_failed": self._purge_history,
            "orphans_failed": self._remove_orphans,
            "sessions_failed": self._purge_sessions,
        }
        while not self._ended.wait(maintenance.EVERY_SECONDS):
            for trouble, chore in chores.items():
                with self._app.app_context():
                    try:
                        chore()
                    except Exception:
                        # Whatever failed, the next round follows in two seconds.
                        if self._log_throttle.allow(trouble):
                            logger.exception(trouble)

    def _purge_history(self) -> None:
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
                self._sweep, self._next_sweep = None, time.monotonic() + SWEEP_EVERY_SECONDS
                return
            if self._ended.wait(PAUSE_SECONDS):
                return

    def _purge_sessions(self) -> None:
        """Delete expired sessions when it is time; after a full step, go on in the next round."""
        if time.monotonic() < self._next_sessions:
            return
        with unit_of_work():
            has_more = sessions.purge()
        if not has_more:
            self._next_sessions = time.monotonic() + SWEEP_EVERY_SECONDS

    def _remove_orphans(self) -> None:
        """Take the next step of a search for orphans, or start one when it is due.

        One step per round: a step may wait for a slow storage, and maintenance comes first. After a failed step, the next
        round continues with the next one.
        """
        if self._orphans is None:
            if time.monotonic() < self._next_orphans:
                return
            self._orphans, self._next_orphans = orphans.Sweep(), time.monotonic() + ORPHANS_EVERY_SECONDS
        try:
            has_more = self._orphans.step()
        except orphans.ForeignStorage as error:
            logger.warning(error.slug, error=error.message)
            has_more = False
        if not has_more:
            self._orphans = None
