"""End a work horse whose engine hangs, even while it blocks the interpreter.

A hanging engine may hold the interpreter lock, so no thread of the horse runs, and the parent, which sees a living
process, would renew its leases for ever. The kernel's alarm (setitimer(2)) needs neither: unless it is reset in time it
ends the process, the parent sees that, and the chunk is requeued as after any crash.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

_is_horse = False


def enable() -> None:
    """Allow the alarm to end this process. Called in a work horse, which does nothing but its one job."""
    global _is_horse  # noqa: PLW0603 - what kind of process this is
    _is_horse = True


def reset(seconds: float) -> None:
    """End this process in so many seconds unless reset again; 0 turns the alarm off."""
    if _is_horse:
        signal.setitimer(signal.ITIMER_REAL, seconds)


@contextlib.contextmanager
def watching(seconds: float) -> Iterator[None]:
    """Run the body of the context under the alarm."""
    if _is_horse:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # whatever handler RQ has set
    reset(seconds)
    try:
        yield
    finally:
        reset(0.0)
