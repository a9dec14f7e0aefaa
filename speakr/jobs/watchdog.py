"""End a work horse whose engine shows no sign of life, whatever the engine holds on to.

A recogniser that hangs may hold the interpreter, so no thread of ours would run, and its parent, which sees a
living process, would prolong its leases for ever. The kernel's alarm clock needs neither: unless it is put off
in time it ends the process, the parent sees that, and the chunk is taken back as after any crash.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

_is_horse = False


def enable() -> None:
    """Say that this process may be ended. Called in a work horse, which does nothing but its one job."""
    global _is_horse  # noqa: PLW0603 - what kind of process this is
    _is_horse = True


def reset(seconds: float) -> None:
    """End this process in so many seconds, unless it is put off again; 0: not at all."""
    if _is_horse:
        signal.setitimer(signal.ITIMER_REAL, seconds)


@contextlib.contextmanager
def watching(seconds: float) -> Iterator[None]:
    """Watch over what is done inside."""
    if _is_horse:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # whatever the queue's library has put there
    reset(seconds)
    try:
        yield
    finally:
        reset(0.0)
