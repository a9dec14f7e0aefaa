"""Compare found words with spoken words: the word error rate and the errors behind it.

Engines write what was spoken in their own ways: "23rd", "7%", "Mr.". Both sides are turned into spoken words first, so
that only words count. British and American spellings stay different words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from speakr.connectors.transcription.spoken_forms import spoken

_SAME: Final = {"mr": "mister"}
_ONE_UNIT: Final = {"dollars": "dollar", "euros": "euro", "pounds": "pound"}
_TOKEN: Final = re.compile(r"[^\W_]+")
_CHARACTER: Final = re.compile(r"[^\W_]")
_NO_SPACES: Final = frozenset({"zh", "ja", "yue", "th", "lo", "my", "km"})
"""Languages scored by characters."""


def normalise(text: str, language: str = "en") -> list[str]:
    """Return the words of a text in scored form.

    English: lower case, digits written out, hyphens opened, "mr" as "mister". Other languages: lower case, without marks
    on letters, which many references leave out; digits stay. Where a language has no spaces, characters instead of words.
    """
    if language != "en":
        return list(_in_other_language(text, language))
    words: list[str] = []
    for token in text.lower().replace("-", " ").split():
        words += _one_unit([_SAME.get(word, word) for word in spoken(token)])
    return words


def _one_unit(words: list[str]) -> list[str]:
    """Return "one dollar" for "one dollars"."""
    match words:
        case ["one", unit]:
            return ["one", _ONE_UNIT.get(unit, unit)]
    return words


def _in_other_language(text: str, language: str) -> Iterator[str]:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    for match in (_CHARACTER if language in _NO_SPACES else _TOKEN).finditer(plain):
        yield match[0]


@dataclass
class WordErrors:
    """Counts, which add up over recordings."""

    words: int = 0
    substituted: int = 0
    deleted: int = 0
    inserted: int = 0

    @property
    def total(self) -> int:
        """All errors."""
        return self.substituted + self.deleted + self.inserted

    @property
    def rate(self) -> float:
        """The word error rate, in percent."""
        return 100 * self.total / self.words if self.words else 0.0

    def __iadd__(self, other: WordErrors) -> Self:
        self.words += other.words
        self.substituted += other.substituted
        self.deleted += other.deleted
        self.inserted += other.inserted
        return self


@dataclass(frozen=True)
class Alignment:
    """Pairs of corresponding words of two lists, as indexes into the reference and the found words.

    A word without a counterpart is paired with None.
    """

    pairs: Sequence[tuple[int | None, int | None]]
    errors: WordErrors = field(default_factory=WordErrors)


def align(reference: Sequence[str], recognized: Sequence[str]) -> Alignment:
    """Align two lists of words with as few changes as possible (Levenshtein)."""
    rows, columns = len(reference), len(recognized)
    cost = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows, -1, -1):
        for j in range(columns, -1, -1):
            if i == rows or j == columns:
                cost[i][j] = rows - i + columns - j
            else:
                cost[i][j] = min(
                    cost[i + 1][j + 1] + (reference[i] != recognized[j]),
                    cost[i + 1][j] + 1,
                    cost[i][j + 1] + 1,
                )
    pairs: list[tuple[int | None, int | None]] = []
    errors = WordErrors(words=rows)
    i = j = 0
    while i < rows or j < columns:
        if i < rows and j < columns and cost[i][j] == cost[i + 1][j + 1] + (reference[i] != recognized[j]):
            errors.substituted += reference[i] != recognized[j]
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif i < rows and cost[i][j] == cost[i + 1][j] + 1:
            errors.deleted += 1
            pairs.append((i, None))
            i += 1
        else:
            errors.inserted += 1
            pairs.append((None, j))
            j += 1
    return Alignment(pairs, errors)


def word_errors(said: str, recognized: str, language: str = "en") -> WordErrors:
    """Count the errors in a transcript of a text."""
    return align(normalise(said, language), normalise(recognized, language)).errors
