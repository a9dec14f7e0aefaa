"""Remove blobs that no row refers to."""

from __future__ import annotations

import time

import structlog

from speakr.services.system import orphans

logger = structlog.get_logger(__name__)

EVERY_SECONDS = 6 * 3600.0

FIRST_AFTER_SECONDS = 300.0
"""Seconds before the first search, so that it does not slow a start or restart."""


class OrphanRemoval:
    """Searches the storage for orphans, one step per round."""

    def __init__(self) -> None:
        self._sweep: orphans.Sweep | None = None
        self._next = time.monotonic() + FIRST_AFTER_SECONDS

    def run(self) -> None:
        """Take the next step of a search, or start one when it is due.

        One step per round: a step may wait for a slow storage, and other maintenance comes first.
        After a failed step, the next round continues with the next one.
        """
        if self._sweep is None:
            if time.monotonic() < self._next:
                return
            self._sweep, self._next = orphans.Sweep(), time.monotonic() + EVERY_SECONDS
        try:
            has_more = self._sweep.step()
        except orphans.ForeignStorage as error:
            logger.warning(error.slug, error=error.message)
            has_more = False
        if not has_more:
            self._sweep = None
