"""Share the result of the readiness checks, so that any number of callers costs as much as one.

`/readyz` needs no token. A process runs the checks at most every `FRESH_SECONDS`, however many ask. A thread of its own
checks the storage, at most every `STORAGE_SECONDS`, since that writes to it.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import structlog

from speakr.backends import Backends, get_backends
from speakr.services.system import health
from speakr.storage.base import Storage

logger = structlog.get_logger(__name__)

FRESH_SECONDS = 2.0
STORAGE_SECONDS = 15.0
STORAGE_STALE_SECONDS = 60.0
"""Seconds after which a check of the storage that has not ended means that the storage is unreachable."""

_FIRST_CHECK_SECONDS = 5.0
"""Seconds that the first callers wait for the first check of the storage."""
_IDLE_SECONDS = 40.0
"""Seconds without a caller after which the storage is no longer checked."""


class StorageWatch:
    """Checks a storage from time to time while callers ask for the result."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._lock = threading.Lock()
        self._is_running = False
        self._asked_at = 0.0
        self._checked_at: float | None = None
        self._reason: str | None = None
        self._has_checked = threading.Event()

    def reason(self) -> str | None:
        """Return why the storage cannot be used; None if it can."""
        with self._lock:
            self._asked_at = time.monotonic()
            if self._checked_at is None or self._age() > STORAGE_STALE_SECONDS:
                self._has_checked.clear()  # it is long ago, or never happened: wait for a new check
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="storage-watch", daemon=True).start()
        if not self._has_checked.wait(_FIRST_CHECK_SECONDS):
            return "unreachable"
        return self._reason

    def _age(self) -> float:
        return time.monotonic() - (self._checked_at or 0.0)

    def _run(self) -> None:
        while True:
            self._check()
            time.sleep(STORAGE_SECONDS)
            with self._lock:
                if time.monotonic() - self._asked_at > _IDLE_SECONDS:
                    self._is_running = False
                    return

    def _check(self) -> None:
        try:
            self._storage.check()
            reason = None
        except Exception as error:  # noqa: BLE001 - any error means "not ready"; the log has the cause
            logger.warning("not_ready", part="storage", kind=type(error).__name__)
            reason = "unreachable"
        with self._lock:
            self._reason, self._checked_at = reason, time.monotonic()
            self._has_checked.set()


@dataclass(slots=True)
class _Shared:
    """What the callers of one process share."""

    backends: Backends
    storage: StorageWatch
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held by the caller that runs the checks; the others wait for its result."""
    checked_at: float | None = None
    result: tuple[bool, dict[str, Any]] = (False, {})

    def is_fresh(self) -> bool:
        return self.checked_at is not None and time.monotonic() - self.checked_at < FRESH_SECONDS


_shared: _Shared | None = None
_making = threading.Lock()


def current() -> tuple[bool, dict[str, Any]]:
    """Return whether all parts are available, and a report on each, at most `FRESH_SECONDS` old."""
    shared = _of(get_backends())
    if not shared.is_fresh():
        with shared.lock:
            if not shared.is_fresh():
                shared.result = health.readiness(shared.storage.reason)
                shared.checked_at = time.monotonic()
    return shared.result


def forget() -> None:
    """Drop the stored result (tests)."""
    global _shared  # noqa: PLW0603 - one per process, like the backends
    _shared = None


def _of(backends: Backends) -> _Shared:
    global _shared  # noqa: PLW0603 - as above
    with _making:
        if _shared is None or _shared.backends is not backends:
            _shared = _Shared(backends, StorageWatch(backends.storage))
        return _shared
