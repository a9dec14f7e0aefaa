"""Run slow work beside the event loop of a web process.

A web process runs all requests in one gevent loop, so work that neither waits on a socket nor ends soon stops
every other request. `run_blocking` and `run_cpu` run it in a native thread and let other requests go on. In a
process without gevent they call the work directly.
"""

from __future__ import annotations

import contextlib
import contextvars
import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

Result = TypeVar("Result")

MAX_CPU_THREADS = 2
"""Computations that run at once in a process. They share the interpreter with the loop, so more would slow it down."""

_DROPPED_AT_ONCE = 500

_large_work = threading.Semaphore(1)

_cpu_pools: dict[Any, Any] = {}

_PAUSE_SECONDS = 0.0001
"""A pause of zero is not enough: gevent polls its sockets only after fifty of those."""


def pause() -> None:
    """Let other requests run, between two parts of long work in the loop. Call it in no thread of a pool."""
    hub = _hub()
    if hub is not None:
        sys.modules["gevent"].sleep(_PAUSE_SECONDS)


def run_blocking(work: Callable[[], Result]) -> Result:
    """Run work that waits for a disk or a foreign library, and return or raise what it does.

    Syncing 30 MB can take most of a second, and gevent cannot make file calls yield. Plain writes may stay inline:
    they end in the page cache.
    """
    hub = _hub()
    return work() if hub is None else _run_in(hub.threadpool, work)


def run_cpu(work: Callable[[], Result], *, is_long: bool = True) -> Result:
    """Run a computation of more than about 20 ms, and return or raise what it does; a short one runs at once.

    At most `MAX_CPU_THREADS` run at once; others wait. The work must not use the database session or gevent.
    """
    hub = _hub() if is_long else None
    return work() if hub is None else _run_in(_cpu_pool(hub), work)


def drop(*lists: Any) -> None:
    """Empty lists that only the caller uses, part by part.

    Python frees a list with all that is in it in one step, which takes some tenths of a second for a long transcript.
    """
    for each in lists:
        while isinstance(each, list) and each:
            del each[-_DROPPED_AT_ONCE:]
            if each:
                pause()


@contextlib.contextmanager
def large_work(*, is_large: bool) -> Iterator[None]:
    """Run work that makes millions of objects: one request of the process at a time, without garbage collections.

    A collection stops all threads for seconds while so many objects are alive, and two such requests at once could
    need more memory than the process has. The work must drop its objects before the block ends. In a process without
    gevent this does nothing.
    """
    if not is_large or _hub() is None:
        yield
        return
    with _large_work:
        gc.disable()
        try:
            yield
        finally:
            gc.enable()


def give_way() -> None:
    """Let other requests run, between two pieces of work that are too short to be run beside the loop."""
    if _hub() is not None:
        _switch()


def _switch() -> None:
    time.sleep(0)


def _cpu_pool(hub: Any) -> Any:
    from gevent.threadpool import ThreadPool  # noqa: PLC0415 - only the web process has it

    if hub not in _cpu_pools:
        _cpu_pools.clear()  # the hub of a parent process, before a fork
        _cpu_pools[hub] = ThreadPool(MAX_CPU_THREADS, hub=hub)
    return _cpu_pools[hub]


def _hub() -> Any:
    """Return gevent's hub, or None in a process without gevent, which is looked up and not imported."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("threading"):
        return None
    return sys.modules["gevent"].get_hub()


def _run_in(pool: Any, work: Callable[[], Result]) -> Result:
    context = contextvars.copy_context()
    # gevent prints what a pool thread raises, so an error is returned.
    result, error = pool.apply(lambda: _attempt(lambda: context.run(work)))
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return] # gevent has no types


def _attempt(work: Callable[[], Result]) -> tuple[Result | None, BaseException | None]:
    try:
        return work(), None
    except BaseException as error:  # noqa: BLE001 - returned, see above
        return None, error
