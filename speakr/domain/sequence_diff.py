"""Longest common subsequences of long sequences, in bounded time and memory.

The exact method is the bit-parallel one of Hyyrö (2004): one integer operation compares an element with all elements
of the other sequence, so that 10,000 by 10,000 elements take some hundredths of a second in plain Python, also for
repetitive text, which makes `difflib` quadratic.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence

MAX_CELLS = 120_000_000
"""Pairs of elements that are compared exactly, a bit of memory each: 15 MB. Longer sequences are cut first."""

Pair = tuple[int, int]
_Block = tuple[int, int, int, int]


def matches(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[Pair]:
    """Return the positions (in `old`, in `new`) of equal elements, both ascending and as many as possible.

    Beyond `MAX_CELLS` the sequences are cut at elements that occur once in each, then at equal proportions, and there
    may be fewer pairs than possible.
    """
    found: list[Pair] = []
    for block in _pieces(old, new):
        found += _matched(old, new, block)
    return found


def _pieces(old: Sequence[Hashable], new: Sequence[Hashable]) -> Iterator[_Block]:
    whole = (0, len(old), 0, len(new))
    if len(old) * len(new) <= MAX_CELLS:
        yield whole
        return
    first_old = first_new = 0
    for at_old, at_new in [*_unique_in_both(old, new), (len(old), len(new))]:
        yield from _halves((first_old, at_old, first_new, at_new))
        first_old, first_new = at_old, at_new


def _halves(block: _Block) -> Iterator[_Block]:
    first_old, end_old, first_new, end_new = block
    if (end_old - first_old) * (end_new - first_new) <= MAX_CELLS:
        yield block
        return
    middle_old, middle_new = (first_old + end_old) // 2, (first_new + end_new) // 2
    yield from _halves((first_old, middle_old, first_new, middle_new))
    yield from _halves((middle_old, end_old, middle_new, end_new))


def _unique_in_both(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[Pair]:
    """Return the longest ascending row of elements that occur once in each sequence."""
    counts_old, counts_new = Counter(old), Counter(new)
    places = {element: at for at, element in enumerate(old) if counts_old[element] == 1}
    candidates = [
        (places[element], at)
        for at, element in enumerate(new)
        if counts_new[element] == 1 and element in places
    ]
    ends: list[int] = []
    last: list[int] = []
    before: list[int | None] = []
    for number, (place, _) in enumerate(candidates):
        length = bisect_left(ends, place)
        before.append(last[length - 1] if length else None)
        ends[length : length + 1] = [place]
        last[length : length + 1] = [number]
    row: list[Pair] = []
    step = last[-1] if last else None
    while step is not None:
        row.append(candidates[step])
        step = before[step]
    return row[::-1]


def _matched(old: Sequence[Hashable], new: Sequence[Hashable], block: _Block) -> list[Pair]:
    first_old, end_old, first_new, end_new = block
    head: list[Pair] = []
    while first_old < end_old and first_new < end_new and old[first_old] == new[first_new]:
        head.append((first_old, first_new))
        first_old, first_new = first_old + 1, first_new + 1
    tail: list[Pair] = []
    while first_old < end_old and first_new < end_new and old[end_old - 1] == new[end_new - 1]:
        end_old, end_new = end_old - 1, end_new - 1
        tail.append((end_old, end_new))
    inner = _longest(old[first_old:end_old], new[first_new:end_new])
    return [*head, *((first_old + i, first_new + j) for i, j in inner), *reversed(tail)]


def _longest(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[Pair]:
    """Return a longest common subsequence. A bit of `rows[j]` is 0 where an element of `old` makes it longer."""
    masks: dict[Hashable, int] = {}
    known = set(new)
    for at, element in enumerate(old):
        if element in known:
            masks[element] = masks.get(element, 0) | 1 << at
    if not masks:
        return []
    full = (1 << len(old)) - 1
    row = full
    rows = []
    for element in new:
        mask = masks.get(element)
        if mask:
            hits = row & mask
            row = ((row + hits) | (row - hits)) & full
        rows.append(row)
    return _traced(rows, len(old), len(new))


def _traced(rows: Sequence[int], i: int, j: int) -> list[Pair]:
    found: list[Pair] = []
    while i and j:
        if rows[j - 1] >> (i - 1) & 1:
            i -= 1
            continue
        j -= 1
        if j and not rows[j - 1] >> (i - 1) & 1:
            continue
        i -= 1
        found.append((i, j))
    return found[::-1]
