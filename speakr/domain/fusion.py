"""Merge rankings whose scores are not comparable."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, TypeVar

RANK_CONSTANT = 60
"""The smoothing constant k of reciprocal rank fusion; the value of the paper."""

Ranked = TypeVar("Ranked", bound=Any)


def fuse(*rankings: Sequence[Ranked]) -> list[Ranked]:
    """Return the items of all rankings, best first; of equals the greater.

    Reciprocal rank fusion (Cormack, Clarke & Büttcher 2009, "Reciprocal rank fusion outperforms Condorcet and
    individual rank learning methods").
    """
    scores: dict[Ranked, float] = defaultdict(float)
    for ranking in rankings:
        for rank, each in enumerate(ranking, start=1):
            scores[each] += 1.0 / (RANK_CONSTANT + rank)
    return sorted(sorted(scores, reverse=True), key=lambda each: -scores[each])
