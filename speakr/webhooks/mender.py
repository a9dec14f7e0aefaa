"""Mending beside the deliveries: somebody always runs the dispatcher, and its mending must not wait for a send."""

from __future__ import annotations

import threading

import structlog
from flask import Flask

from speakr.services import mending
from speakr.webhooks.seldom import Seldom

logger = structlog.get_logger(__name__)


class Mender:
    """A thread that mends every other second, from `start` to `stop`.

    A daemon: a mend that waits for a lost Redis must not hold up the end of the process.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._mend_for_ever, name="dispatcher-mender", daemon=True)
        self._seldom = Seldom()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the round that is running; does not wait for it."""
        self._ended.set()

    def join(self, seconds: float) -> None:
        """Wait for the end, not longer than this. Blocks: not for the event loop."""
        self._thread.join(seconds)

    def _mend_for_ever(self) -> None:
        while not self._ended.wait(mending.EVERY_SECONDS):
            with self._app.app_context():
                try:
                    mending.mend()
                except Exception:
                    # Whatever it was, the next round comes in two seconds, and in every worker too.
                    if self._seldom.may_say("mending_failed"):
                        logger.exception("mending_failed")
