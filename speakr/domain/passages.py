"""Passages: a transcript cut into stretches short enough to have one meaning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

WORDS = 120
MAX_PASSAGE_LENGTH = 900
"""Length in characters, because not every script has spaces between words."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Consecutive segments, by the positions of the first and the last, and their text."""

    first: int
    last: int
    text: str


def cut(texts: Iterable[str]) -> list[Passage]:
    """Cut the texts of a transcript's segments into passages at the borders of segments.

    A segment longer than a passage becomes several. Segments without words are in none.
    """
    found: list[Passage] = []
    held: list[tuple[int, str]] = []
    for at, text in enumerate(texts):
        for piece in _pieces(text.split()):
            if held and not _fits(held, piece):
                found.append(_joined(held))
                held = []
            held.append((at, piece))
    if held:
        found.append(_joined(held))
    return found


def _fits(held: Sequence[tuple[int, str]], piece: str) -> bool:
    together = [*(text for _, text in held), piece]
    return (
        len(" ".join(together)) <= MAX_PASSAGE_LENGTH and sum(len(text.split()) for text in together) <= WORDS
    )


def _joined(held: Sequence[tuple[int, str]]) -> Passage:
    return Passage(held[0][0], held[-1][0], " ".join(text for _, text in held))


def _pieces(words: Sequence[str]) -> Iterator[str]:
    """Yield words in pieces no longer than a passage; text without spaces is cut anywhere."""
    held: list[str] = []
    length = 0
    for word in words:
        for first in range(0, len(word), MAX_PASSAGE_LENGTH):
            part = word[first : first + MAX_PASSAGE_LENGTH]
            if held and (len(held) == WORDS or length + 1 + len(part) > MAX_PASSAGE_LENGTH):
                yield " ".join(held)
                held, length = [], 0
            length += len(part) + bool(held)
            held.append(part)
    if held:
        yield " ".join(held)
