"""Find the lines of a transcript that speak of what a question names.

BM25 (Robertson & Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond"): a line matters when it
holds words of the question, the more so the rarer the words and the shorter the line. Plurals are matched by the
S-stemmer (Harman 1991, "How effective is suffixing?"). Conversation spreads a thought over several lines, so a
line also gains from the matches of its neighbours.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence

TERM_SATURATION = 1.2
LENGTH_WEIGHT = 0.75
NEIGHBOUR_SHARE = 0.25
SPEAKER_BOOST = 1.5
"""Factor for lines of a speaker whom the question names."""

_MIN_STEMMED_WORD_LENGTH = 4


def stem(word: str) -> str:
    """Return an English word without its plural or genitive ending; words of other languages lose next to nothing."""
    word = word.removesuffix("'s")
    if len(word) < _MIN_STEMMED_WORD_LENGTH or not word.endswith("s") or word.endswith(("ss", "us")):
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    return word[:-1]


def rank_lines(
    lines: Sequence[Sequence[str]], query: Collection[str], boosted: Collection[int] = ()
) -> list[tuple[int, float]]:
    """Return (position, score) of the lines that hold a word of the query, best first.

    lines: the stemmed words of each line; query: stemmed words; boosted: positions of lines that count for more.
    """
    found = [Counter(word for word in words if word in query) for words in lines]
    holding = Counter(word for counts in found for word in counts)
    mean_length = sum(map(len, lines)) / max(len(lines), 1)
    rarity = {
        word: math.log(1.0 + (len(lines) - count + 0.5) / (count + 0.5)) for word, count in holding.items()
    }
    scores = [
        sum(rarity[word] * _saturated(count, len(words) / mean_length) for word, count in counts.items())
        for counts, words in zip(found, lines, strict=True)
    ]
    ranked = []
    for at, score in enumerate(scores):
        if score > 0:
            around = sum(scores[max(at - 1, 0) : at]) + sum(scores[at + 1 : at + 2])
            boost = SPEAKER_BOOST if at in boosted else 1.0
            ranked.append((at, boost * (score + NEIGHBOUR_SHARE * around)))
    return sorted(ranked, key=lambda each: (-each[1], each[0]))


def _saturated(count: int, relative_length: float) -> float:
    """Weigh repetitions less and less, and those in a long line less than those in a short one."""
    norm = TERM_SATURATION * (1.0 - LENGTH_WEIGHT + LENGTH_WEIGHT * relative_length)
    return count * (TERM_SATURATION + 1.0) / (count + norm)
