"""The order of tests: what pytest-randomly shuffles, with as few starts of servers as possible."""

from __future__ import annotations

from pathlib import Path

import pytest

_FIRST = ("crash", "intake", "compat", "operations", "generated", "fuzz", "docs", "voices")
"""Directories whose tests share slow fixtures or take long, the slowest first.

A worker of pytest-xdist begins with the first of its share, and others steal from the end of it. So directories at the front stay
with one worker, which makes their fixtures once, and no long test is left when all others are done.
"""


def arrange(items: list[pytest.Item], root: Path) -> None:
    """Put directories that start servers first, and the tests of a module on one database together."""
    modules: dict[str, int] = {}
    for item in items:
        modules.setdefault(item.location[0], len(modules))
    items.sort(key=lambda item: (_rank(item, root), modules[item.location[0]], _database(item)))


def _rank(item: pytest.Item, root: Path) -> int:
    directory = item.path.relative_to(root).parts[0]
    return _FIRST.index(directory) if directory in _FIRST else len(_FIRST)


def _database(item: pytest.Item) -> str:
    callspec = getattr(item, "callspec", None)
    return str(callspec.params.get("database_url", "")) if callspec else ""
