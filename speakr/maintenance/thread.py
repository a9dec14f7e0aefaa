"""Maintenance in the dispatcher's process, in threads of its own so that it never delays a delivery."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

import structlog
from flask import Flask

from speakr.backends import get_backends
from speakr.maintenance.history import DeliveryPurge, EmailPurge, SessionPurge
from speakr.maintenance.mailer import Mailer
from speakr.maintenance.orphan_removal import OrphanRemoval
from speakr.services.system import maintenance
from speakr.telemetry.log_throttle import LogThrottle

logger = structlog.get_logger(__name__)

_Tasks = Mapping[str, Callable[[], None]]
"""What the log says when a task fails -> the task."""


class _TaskThread:
    """A thread that runs its tasks every two seconds, from `start` to `stop`.

    It is a daemon thread: a task that waits for a lost Redis or a slow mail server must not delay
    the end of the process.
    """

    def __init__(self, app: Flask, name: str, ended: threading.Event, tasks: _Tasks) -> None:
        self._app, self._ended, self._tasks = app, ended, tasks
        self._thread = threading.Thread(target=self._work_for_ever, name=name, daemon=True)
        self._log_throttle = LogThrottle()

    def start(self) -> None:
        self._thread.start()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def _work_for_ever(self) -> None:
        while not self._ended.wait(maintenance.EVERY_SECONDS):
            for failure, task in self._tasks.items():
                with self._app.app_context():
                    try:
                        task()
                    except Exception:
                        # Whatever failed, the next round follows in two seconds.
                        if self._log_throttle.allow(failure):
                            logger.exception(failure)


class MaintenanceThreads:
    """Two threads: one for mail, so that a slow mail server delays nothing else, one for all other tasks."""

    def __init__(self, app: Flask) -> None:
        self._ended = threading.Event()
        settings = get_backends().settings
        mailer = Mailer(
            settings.smtp_url, settings.mail_from, allows_plaintext_login=settings.smtp_allow_plaintext
        )
        tasks: _Tasks = {
            "maintenance_failed": maintenance.run_maintenance,
            "sweeping_failed": DeliveryPurge(self._ended).run,
            "orphans_failed": OrphanRemoval().run,
            "sessions_failed": SessionPurge().run,
            "emails_failed": EmailPurge().run,
        }
        self._threads = (
            _TaskThread(app, "dispatcher-mail", self._ended, {"mail_failed": mailer.deliver}),
            _TaskThread(app, "dispatcher-maintenance", self._ended, tasks),
        )

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop after the running tasks, without waiting for them."""
        self._ended.set()

    def join(self, seconds: float) -> None:
        """Wait for the end, at most this many seconds. Blocks, so do not call it in the event loop."""
        ends_at = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, ends_at - time.monotonic()))
