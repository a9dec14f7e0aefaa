"""Detect dead workers of this machine by locks that end with their processes.

A lease shows the same for a worker on any machine, but later. A worker that restarts in place of a killed one must know
at once. Otherwise it takes another job from the queue, and the interrupted one waits until that is done.

The worker shares its lock (flock(2)) with its work horse, so the lock ends when both have ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import structlog

from speakr.jobs import scratch

logger = structlog.get_logger(__name__)

_PREFIX = "speakr-worker-"


def acquire(name: str) -> int | None:
    """Create and lock the file of a worker; return its descriptor, which must stay open while the worker lives.

    Return None when the folder cannot be written. Then only the lease shows a dead worker.
    """
    path = scratch.parent() / f"{_PREFIX}{name}"
    try:
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_at(path, descriptor):
                return descriptor
            os.close(descriptor)  # another worker removed the file before it was locked
    except OSError:
        logger.warning("worker_without_lifeline", exc_info=True)
        return None


def drop(name: str, descriptor: int | None) -> None:
    """Remove the lock of a worker that ends normally and has nothing to requeue."""
    if descriptor is not None:
        (scratch.parent() / f"{_PREFIX}{name}").unlink(missing_ok=True)
        os.close(descriptor)


def stale() -> Iterator[str]:
    """Yield the names of dead workers. The lock of each is removed when the caller asks for the next one."""
    for path in scratch.parent().glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # alive, or removed by another worker in the meantime
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(path, descriptor):
                    yield path.name.removeprefix(_PREFIX)
                    path.unlink()
            finally:
                os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        named, ours = path.stat(), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return (named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino)
