"""Find what a text speaks about: phrases between function words, weighted by company and repetition.

After RAKE (Rose, Engel, Cramer & Cowley 2010, "Automatic keyword extraction from individual documents"):
a word scores degree / frequency, so words of longer phrases score more. Spoken language repeats what it is
about, hence every run of up to three words of a candidate counts as a phrase, and repetition multiplies.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from speakr.connectors.language.sentences import find_words

MAX_PHRASE_WORDS = 3
MIN_WORD_LENGTH = 3
"""In letters. It also keeps out the character pairs of Chinese and Japanese, which are no phrases."""
REPETITION_BONUS = 1.5
MAX_COUNTED_PHRASES = 100_000

_PHRASE_END = re.compile(r"[.?!…,;:()\"。？！、，]+")  # noqa: RUF001 - full-width punctuation


@dataclass(frozen=True, slots=True)
class KeyPhrase:
    """A phrase in lower case and how often it was said."""

    text: str
    count: int


def find_key_phrases(texts: Iterable[str], stop: frozenset[str], most: int) -> list[KeyPhrase]:
    """Return the best phrases, best first, no two sharing a word."""
    phrases: Counter[tuple[str, ...]] = Counter()
    frequency: Counter[str] = Counter()
    degree: Counter[str] = Counter()
    for candidate in _candidates(texts, stop):
        for word in candidate:
            frequency[word] += 1
            degree[word] += len(candidate)
        phrases.update(_runs(candidate))
        if len(phrases) > MAX_COUNTED_PHRASES:
            phrases = _forget_rare(phrases)

    def is_fragment(phrase: tuple[str, ...]) -> bool:
        # A word said once, inside a longer phrase, means nothing without it.
        return len(phrase) == 1 and frequency[phrase[0]] == 1 < degree[phrase[0]]

    def score(phrase: tuple[str, ...]) -> float:
        bonus = REPETITION_BONUS if phrases[phrase] > 1 else 1.0
        return bonus * phrases[phrase] * sum(degree[word] / frequency[word] for word in phrase)

    chosen: list[KeyPhrase] = []
    used: set[str] = set()
    for phrase in sorted(phrases, key=lambda phrase: (-score(phrase), phrase)):
        if len(chosen) == most:
            break
        if used.isdisjoint(phrase) and not is_fragment(phrase):
            chosen.append(KeyPhrase(" ".join(phrase), phrases[phrase]))
            used.update(phrase)
    return chosen


def _candidates(texts: Iterable[str], stop: frozenset[str]) -> Iterator[list[str]]:
    """Yield the runs of content words."""
    for text in texts:
        for clause in _PHRASE_END.split(text):
            run: list[str] = []
            for word in find_words(clause):
                if word in stop or len(word) < MIN_WORD_LENGTH:
                    if run:
                        yield run
                    run = []
                else:
                    run.append(word)
            if run:
                yield run


def _runs(candidate: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for first in range(len(candidate)):
        for end in range(first + 1, min(first + MAX_PHRASE_WORDS, len(candidate)) + 1):
            yield tuple(candidate[first:end])


def _forget_rare(phrases: Counter[tuple[str, ...]]) -> Counter[tuple[str, ...]]:
    """Drop phrases met once so far, which bounds memory (lossy counting, Manku & Motwani 2002).

    When all have been met more often, the less frequent half goes.
    """
    kept = Counter({phrase: count for phrase, count in phrases.items() if count > 1})
    if len(kept) > MAX_COUNTED_PHRASES // 2:
        kept = Counter(dict(kept.most_common(MAX_COUNTED_PHRASES // 2)))
    return kept
