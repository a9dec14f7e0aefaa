"""Blocking file work beside a gevent loop."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def outside_the_loop(work: Callable[[], Result]) -> Result:
    """Run blocking work where it does not stop a gevent loop; without gevent, simply run it.

    Syncing 30 MB can take most of a second, and gevent cannot make file calls yield. Plain writes may stay inline:
    they end in the page cache. gevent is looked up, not imported: only the web process runs on it.
    """
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("threading"):
        return work()
    # gevent prints what a pool thread raises, so an error is returned.
    result, error = sys.modules["gevent"].get_hub().threadpool.apply(lambda: _attempt(work))
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return] # gevent has no types


def _attempt(work: Callable[[], Result]) -> tuple[Result | None, BaseException | None]:
    try:
        return work(), None
    except BaseException as error:  # noqa: BLE001 - returned, see above
        return None, error
