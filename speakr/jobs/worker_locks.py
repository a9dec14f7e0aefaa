"""Which workers of this machine are dead: each held a lock that ended with it.

A lease tells the same about any worker on any machine, but late. A worker that is started again in the place
of one that was killed must know at once: or it takes something else from the queue, and what was interrupted
waits until that is done.

The lock (flock(2)) is shared with the work horse, so it ends when both are gone.
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
    """Take up the lifeline of a worker; return its descriptor, which is to stay open as long as it lives.

    None: there is nowhere to put it. Then the lease alone has to do.
    """
    path = scratch.parent() / f"{_PREFIX}{name}"
    try:
        while True:
            line = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(line, fcntl.LOCK_EX)
            if _is_at(path, line):
                return line
            os.close(line)  # somebody took it for a dead one's before it was locked
    except OSError:
        logger.warning("worker_without_lifeline", exc_info=True)
        return None


def drop(name: str, line: int | None) -> None:
    """Let go of a lifeline in good order: there is nothing to take back."""
    if line is not None:
        (scratch.parent() / f"{_PREFIX}{name}").unlink(missing_ok=True)
        os.close(line)


def stale() -> Iterator[str]:
    """Yield the names of workers that are dead. Each is forgotten once the caller asks for the next one."""
    for path in scratch.parent().glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # alive, or just buried by somebody else
            line = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(line, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(path, line):
                    yield path.name.removeprefix(_PREFIX)
                    path.unlink()
            finally:
                os.close(line)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        named, ours = path.stat(), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return (named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino)
