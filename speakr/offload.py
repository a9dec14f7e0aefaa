"""Run slow work beside the event loop of a web process.

A web process runs all requests in one gevent loop, so work that neither waits on a socket nor ends soon stops
every other request. `run_blocking` and `run_cpu` run it in a native thread and let other requests go on. In a
process without gevent, and in such a thread, they call the work directly.

Users take turns: one who asks for many computations at once delays those of another user by one of them only.
"""

from __future__ import annotations

import contextlib
import contextvars
import ctypes
import gc
import sys
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from typing import Any, TypeVar

Result = TypeVar("Result")

MAX_CPU_THREADS = 2
"""Computations that run at once in a process. They share the interpreter with the loop, so more would slow it down."""

_DROPPED_AT_ONCE = 500
_RETURN_AFTER_SECONDS = 0.5

caller: contextvars.ContextVar[Hashable] = contextvars.ContextVar("caller", default=None)
"""For whom a computation runs: a user's id, or the address of a client that is not known yet. The web code sets it."""

_is_in_pool: contextvars.ContextVar[bool] = contextvars.ContextVar("is_in_pool", default=False)

_cpu_pools: dict[Any, Any] = {}

_PAUSE_SECONDS = 0.0001
"""A pause of zero is not enough: gevent polls its sockets only after fifty of those."""


class FairPlaces:
    """A number of places for computations, for which users wait in turn.

    While others wait, a user gets no second place. All methods run in the event loop and change their state without
    giving way, so they need no lock.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._held: Counter[Hashable] = Counter()
        self._waiting: OrderedDict[Hashable, deque[Any]] = OrderedDict()
        """User -> events of those who wait, in the order of turns. While a place is free, this is empty."""

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place; wait for it if there is none."""
        user = caller.get()
        if self._free:
            self._take(user)
        else:
            self._wait(user)
        try:
            yield
        finally:
            self._give_back(user)

    def _take(self, user: Hashable) -> None:
        self._free -= 1
        self._held[user] += 1

    def _wait(self, user: Hashable) -> None:
        from gevent.event import Event  # noqa: PLC0415 - only the web process has it

        event = Event()
        self._waiting.setdefault(user, deque()).append(event)
        try:
            event.wait()
        except BaseException:  # the greenlet is ended
            if event.is_set():
                self._give_back(user)
            else:
                self._forget(user, event)
            raise

    def _give_back(self, user: Hashable) -> None:
        self._free += 1
        self._held[user] -= 1
        if not self._held[user]:
            del self._held[user]
        if user in self._waiting:
            self._waiting.move_to_end(user)
        if self._waiting:
            chosen = next(
                (each for each in self._waiting if each not in self._held), next(iter(self._waiting))
            )
            event = self._waiting[chosen][0]
            self._forget(chosen, event)
            if chosen in self._waiting:
                self._waiting.move_to_end(chosen)
            self._take(chosen)
            event.set()

    def _forget(self, user: Hashable, event: Any) -> None:
        self._waiting[user].remove(event)
        if not self._waiting[user]:
            del self._waiting[user]


_cpu_places = FairPlaces(MAX_CPU_THREADS)
_large_place = FairPlaces(1)


def pause() -> None:
    """Let other requests run, between two parts of long work in the loop. Call it in no thread of a pool."""
    if _hub() is not None:
        _switch()


def _switch() -> None:
    time.sleep(_PAUSE_SECONDS)  # gevent's, where there is a hub


def run_blocking(work: Callable[[], Result]) -> Result:
    """Run work that waits for a disk or a foreign library, and return or raise what it does.

    Syncing 30 MB can take most of a second, and gevent cannot make file calls yield. Plain writes may stay inline:
    they end in the page cache.
    """
    hub = _hub()
    return work() if hub is None else _run_in(hub.threadpool, work)


def run_cpu(work: Callable[[], Result], *, is_long: bool = True) -> Result:
    """Run a computation of more than about 20 ms, and return or raise what it does; a short one runs at once.

    At most `MAX_CPU_THREADS` run at once; others wait, in turn among users. The work must not use the database
    session or gevent.
    """
    hub = _hub() if is_long else None
    if hub is None:
        return work()
    with _cpu_places.place():
        return _run_in(_cpu_pool(hub), work)


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
    need more memory than the process has. Users take turns. The work must drop its objects before the block ends; then
    the process returns their memory to the system. In a process without gevent this does nothing.
    """
    hub = _hub()
    if not is_large or hub is None:
        yield
        return
    with _large_place.place():
        gc.disable()
        try:
            yield
        finally:
            gc.enable()
            _return_memory_soon(hub)


def _return_memory_soon(hub: Any) -> None:
    """Return memory when the request has probably ended, which holds its body until then."""
    from gevent import spawn_later  # noqa: PLC0415 - only the web process has it

    spawn_later(_RETURN_AFTER_SECONDS, hub.threadpool.spawn, _return_memory)


def _return_memory() -> None:
    """Return free memory to the system (malloc_trim(3)); the C library would keep what lies below memory in use.

    It takes some milliseconds for a hundred megabytes, without the interpreter's lock. Other C libraries lack it.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _cpu_pool(hub: Any) -> Any:
    from gevent.threadpool import ThreadPool  # noqa: PLC0415 - only the web process has it

    if hub not in _cpu_pools:
        _cpu_pools.clear()  # the hub of a parent process, before a fork
        _cpu_pools[hub] = ThreadPool(MAX_CPU_THREADS, hub=hub)
    return _cpu_pools[hub]


def _hub() -> Any:
    """Return gevent's hub, or None in a process without gevent, which is looked up and not imported.

    In a thread of a pool there is none either: asking gevent for it would make another one, with threads of its own.
    """
    if _is_in_pool.get():
        return None
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("threading"):
        return None
    return sys.modules["gevent"].get_hub()


def _run_in(pool: Any, work: Callable[[], Result]) -> Result:
    context = contextvars.copy_context()
    context.run(_is_in_pool.set, True)  # noqa: FBT003 - its parameter has no name
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
