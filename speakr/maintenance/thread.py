"""Maintenance in the dispatcher's process, in a thread of its own so that it never delays a delivery."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog
from flask import Flask

from speakr.backends import get_backends
from speakr.maintenance.history import DeliveryPurge, EmailPurge, SessionPurge
from speakr.maintenance.mailer import Mailer
from speakr.maintenance.orphan_removal import OrphanRemoval
from speakr.services.system import maintenance
from speakr.telemetry.log_throttle import LogThrottle

logger = structlog.get_logger(__name__)


class MaintenanceThread:
    """A thread that runs each task of maintenance every two seconds, from `start` to `stop`.

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
        mailer = Mailer(
            settings.smtp_url, settings.mail_from, allows_plaintext_login=settings.smtp_allow_plaintext
        )
        self._tasks: dict[str, Callable[[], None]] = {
            "mail_failed": mailer.deliver,
            "maintenance_failed": maintenance.run_maintenance,
            "sweeping_failed": DeliveryPurge(self._ended).run,
            "orphans_failed": OrphanRemoval().run,
            "sessions_failed": SessionPurge().run,
            "emails_failed": EmailPurge().run,
        }
        """What the log says when a task fails -> the task."""

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
        while not self._ended.wait(maintenance.EVERY_SECONDS):
            for failure, task in self._tasks.items():
                with self._app.app_context():
                    try:
                        task()
                    except Exception:
                        # Whatever failed, the next round follows in two seconds.
                        if self._log_throttle.allow(failure):
                            logger.exception(failure)
