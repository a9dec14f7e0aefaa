"""Find out whether requests stop the event loop: from the logs of real servers, and from the CPU of test requests.

A web process serves everybody from one loop, so a request may not compute for longer than `LIMIT_SECONDS` without
giving way. What `speakr.offload` runs beside the loop does not count.
"""

from __future__ import annotations

import gc
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from flask import Flask

from speakr import offload
from speakr.web.loop_watch import ROUTE_KEY

LIMIT_SECONDS = 0.15
"""CPU seconds of a slice of a real loop. 0.1 on an idle machine; tests share each core with other processes."""

WAIT_LIMIT_SECONDS = 0.3
"""Seconds in which a real loop neither computed nor was denied a CPU: it waited for a disk or a lock."""

REQUEST_LIMIT_SECONDS = 0.2
"""For a whole request in a test process, which has no loop: in a server it gives way while it waits for others."""

COLD_LIMIT_SECONDS = 0.5
"""For the first request of a route in a test process, which compiles SQL."""

Result = TypeVar("Result")


_BLOCK = re.compile(r"event_loop_blocked\b")
_IDLE = re.compile(r'\bcode= .*\brequest= |(?=.*"code": "")(?=.*"request": "")')
_FIGURES = re.compile(r"(?<![a-z])(seconds|cpu_seconds|waited_for_cpu_seconds)\W+([\d.]+)")


def assert_loop_was_free(log: Path) -> None:
    """Check that no web process that wrote to this log stood still, other than for want of a CPU."""
    blocks = blocks_in(log.read_text(errors="replace"))
    assert not blocks, "\n".join(["the event loop stood still:", *blocks])


def blocks_in(log: str) -> list[str]:
    """Return the log lines, text or JSON, about loops that computed or waited for too long."""
    return [line for line in log.splitlines() if _BLOCK.search(line) and _is_too_long(line)]


def _is_too_long(line: str) -> bool:
    figures = {name: float(number) for name, number in _FIGURES.findall(line)}
    computed, no_cpu = figures["cpu_seconds"], figures["waited_for_cpu_seconds"]
    if computed > LIMIT_SECONDS:
        return True
    # Without a request and a line of code the loop was idle: the whole process, or the machine, stood still.
    return not _IDLE.search(line) and figures["seconds"] - computed - no_cpu > WAIT_LIMIT_SECONDS


class _Pool:
    """Runs work at once, in place of gevent's threads, and sums up its CPU seconds."""

    def __init__(self) -> None:
        self.cpu_seconds = 0.0

    def apply(self, work: Callable[[], Result]) -> Result:
        began = time.thread_time()
        try:
            return work()
        finally:
            self.cpu_seconds += time.thread_time() - began

    def spawn(self, work: Callable[[], object]) -> None:
        """Leave out what no request waits for: memory that is returned later."""


class _Collector:
    """Sums up the CPU seconds of garbage collections: those of a test process go through everything that pytest keeps."""

    def __init__(self) -> None:
        self.cpu_seconds = self._began = 0.0
        gc.callbacks.append(self._note)

    def _note(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.thread_time()
        else:
            self.cpu_seconds += time.thread_time() - self._began


class _Hub:
    def __init__(self) -> None:
        self.threadpool = _Pool()


@dataclass(frozen=True)
class _Slice:
    environ: dict[str, Any]
    began: float
    beside: float
    modules: frozenset[str]


class RequestTimes:
    """Measures the CPU seconds of each request of the watched apps, up to each chunk of its answer."""

    def __init__(self) -> None:
        self._hub = _Hub()
        self._collector = _Collector()
        self._blocks: list[str] = []
        self._served: set[str] = set()
        self._spin = min(_spin() for _ in range(10))
        self._current = threading.local()

    def replace_threads(self, patch: pytest.MonkeyPatch) -> None:
        """Count what is run beside the loop apart."""
        patch.setattr(offload, "_hub", lambda: self._hub)
        patch.setattr(offload, "_cpu_pool", lambda _: self._hub.threadpool)
        patch.setattr(offload, "_switch", self._end_slice)

    def take_blocks(self) -> list[str]:
        """Return the requests that computed for too long since the last call."""
        blocks, self._blocks = self._blocks, []
        return blocks

    def watch(self, app: Flask) -> None:
        """Measure an app's requests from now on."""
        inner = app.wsgi_app

        def measured(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            answer = self._measure(environ, lambda: inner(environ, start_response))
            return self._chunks(environ, answer)

        app.wsgi_app = measured  # type: ignore[method-assign] # the way that Flask documents

    def _chunks(self, environ: dict[str, Any], answer: Iterable[bytes]) -> Iterator[bytes]:
        chunks = iter(answer)
        try:
            while True:
                chunk = self._measure(environ, lambda: next(chunks, None))
                if chunk is None:
                    return
                yield chunk
        finally:
            close = getattr(answer, "close", None)
            if close is not None:
                self._measure(environ, close)

    def _measure(self, environ: dict[str, Any], work: Callable[[], Result]) -> Result:
        outer = getattr(self._current, "slice", None)  # a test may send a request during a request
        self._current.slice = self._begin_slice(environ)
        try:
            return work()
        finally:
            self._end_slice()
            self._served.add(_route(environ))
            self._current.slice = outer

    def _begin_slice(self, environ: dict[str, Any]) -> _Slice:
        return _Slice(environ, time.thread_time(), self._beside(), frozenset(sys.modules))

    def _beside(self) -> float:
        """Return the CPU seconds so far that a real loop would not spend."""
        return self._hub.threadpool.cpu_seconds + self._collector.cpu_seconds

    def _end_slice(self) -> None:
        """Judge the time since the request began or gave way."""
        ended: _Slice | None = getattr(self._current, "slice", None)
        if ended is None:
            return
        used = time.thread_time() - ended.began - (self._beside() - ended.beside)
        if used > REQUEST_LIMIT_SECONDS:
            self._judge(ended.environ, used, sorted(set(sys.modules) - ended.modules))
        self._current.slice = self._begin_slice(ended.environ)

    def _judge(self, environ: dict[str, Any], used: float, imported: list[str]) -> None:
        limit = REQUEST_LIMIT_SECONDS if _route(environ) in self._served else COLD_LIMIT_SECONDS
        used /= max(1.0, _spin() / self._spin)
        if used > limit:
            self._blocks.append(f"{_route(environ)}: {used:.3f} s, imported {imported}")


def _route(environ: dict[str, Any]) -> str:
    return f"{environ['REQUEST_METHOD']} {environ.get(ROUTE_KEY) or environ['PATH_INFO']}"


def _spin() -> float:
    """Return the CPU seconds of a fixed computation: other work on the same core makes them more."""
    began = time.thread_time()
    sum(number * number for number in range(50_000))
    return time.thread_time() - began
