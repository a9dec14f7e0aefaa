"""Measure how long the event loop of a web process stands still, and log which request did it.

All requests of a web process run in one gevent loop. A greenlet that computes for long, or waits in a call that
gevent cannot interrupt, stops all of them. A greenlet beats every 20 ms; a native thread looks where the
loop is when a beat is late. On a busy machine the loop also stands still while it waits for a CPU; the log says
for how long, where the kernel counts it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import structlog
from prometheus_client import Histogram

logger = structlog.get_logger(__name__)

BEAT_SECONDS = 0.02
LIMIT_SECONDS = 0.1
"""A loop that stands still for longer is counted and logged."""

ROUTE_KEY = "speakr.route"
"""Key of the WSGI environment that holds the rule of the request's route."""

BLOCKED = Histogram(
    "speakr_event_loop_blocked_seconds",
    "Times the event loop stood still for more than 0.1 s",
    buckets=(0.15, 0.25, 0.5, 1, 2.5, 10, 60),
)

_PACKAGE = str(Path(__file__).resolve().parents[1])


@dataclass(frozen=True, slots=True)
class Culprit:
    """What the loop was doing when it stood still."""

    request: str
    """Method and route of the request, empty if no request was served."""
    code: str
    """The innermost line of this project, as `services/search/matching.py:88`."""


NOTHING = Culprit("", "")


class LoopWatch:
    """Watches the loop of the process in which `start` is called, for good."""

    def __init__(self, *, limit_seconds: float = LIMIT_SECONDS) -> None:
        self._limit = limit_seconds
        self._beat = time.monotonic()
        self._culprit = NOTHING
        self._loop_thread = 0

    def start(self) -> None:
        """Start the greenlet and the native thread. Call it in the loop's own thread, after gevent has patched."""
        import gevent  # noqa: PLC0415 - only the web process has it
        from gevent import monkey  # noqa: PLC0415

        self._loop_thread = monkey.get_original("threading", "get_ident")()
        self._beat = time.monotonic()
        gevent.spawn(self._beat_for_ever, gevent.sleep)
        monkey.get_original("_thread", "start_new_thread")(
            self._look_for_ever, (monkey.get_original("time", "sleep"),)
        )

    def _beat_for_ever(self, sleep: Any) -> None:
        waits = CpuWaits()
        cpu, waited = time.thread_time(), waits.seconds()
        while True:
            sleep(BEAT_SECONDS)
            now, cpu_now, waited_now = time.monotonic(), time.thread_time(), waits.seconds()
            late = now - self._beat - BEAT_SECONDS
            culprit, self._culprit = self._culprit, NOTHING
            self._beat = now
            if late > self._limit:
                BLOCKED.observe(late)
                logger.warning(
                    "event_loop_blocked",
                    seconds=round(late, 3),
                    cpu_seconds=round(cpu_now - cpu, 3),
                    waited_for_cpu_seconds=round(waited_now - waited, 3),
                    request=culprit.request,
                    code=culprit.code,
                )
            cpu, waited = cpu_now, waited_now

    def _look_for_ever(self, sleep: Any) -> None:
        while True:
            sleep(self._limit / 2)
            if time.monotonic() - self._beat > self._limit / 2 + BEAT_SECONDS and self._culprit is NOTHING:
                frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001 - the documented way
                if frame is not None:
                    self._culprit = culprit_of(frame)


class CpuWaits:
    """Reads for how many seconds the thread that made it has been ready to run without a CPU."""

    def __init__(self) -> None:
        self._file: int | None = None
        with contextlib.suppress(OSError):  # kept open, since it is read fifty times a second
            self._file = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)

    def __del__(self) -> None:
        if self._file is not None:
            os.close(self._file)

    def seconds(self) -> float:
        """Return the seconds so far; 0 where the kernel does not count."""
        if self._file is not None:
            with contextlib.suppress(OSError, ValueError, IndexError):
                return int(os.pread(self._file, 100, 0).split()[1]) / 1e9
        return 0.0


def culprit_of(frame: FrameType | None) -> Culprit:
    """Read the request and the line of code off a stack, innermost frame first."""
    code = ""
    while frame is not None:
        if not code and frame.f_code.co_filename.startswith(_PACKAGE):
            code = f"{frame.f_code.co_filename[len(_PACKAGE) + 1 :]}:{frame.f_lineno}"
        environ = frame.f_locals.get("environ")
        if isinstance(environ, dict) and "REQUEST_METHOD" in environ:
            route = environ.get(ROUTE_KEY) or environ.get("PATH_INFO", "")
            return Culprit(f"{environ['REQUEST_METHOD']} {route}", code)
        frame = frame.f_back
    return Culprit("", code)
