"""Pages of lists: which part of a list one answer has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Other = TypeVar("Other")

MAX_ITEMS = 1_000
"""Items in one answer of a list of small objects: tags, folders, speakers, groups, members, shares, tokens."""


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a list that is asked for: `limit` items after the first `offset`."""

    offset: int
    limit: int


@dataclass(frozen=True, slots=True)
class Part(Generic[Item]):
    """A part of a list, and the number of items in the whole list."""

    items: Sequence[Item]
    total: int

    def map(self, change: Callable[[Item], Other]) -> Part[Other]:
        """Return the same part with changed items."""
        return Part([change(item) for item in self.items], self.total)
