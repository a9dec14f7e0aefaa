"""Bias."""

from __future__ import annotations
from collections.abc import Sequence
from typing import Any


class HotwordBias:
    def __init__(self, tokens: Any, hotwords: Sequence[str]) -> None:
        pass

    def biased(self, scores: Any) -> Any:
        return scores

    def advance(self, token: int) -> None:
        pass
