"""Pick the sentences that say most of what a text says.

LexRank (Erkan & Radev 2004, "LexRank: graph-based lexical centrality as salience in text summarization"):
a sentence matters when it resembles many sentences that matter; PageRank on TF-IDF cosine similarity.
Maximal marginal relevance (Carbonell & Goldstein 1998): take what matters and has not been said yet.

The similarity matrix grows with the square of the number of sentences, so there is never one of more than
BLOCK_SENTENCES rows: a longer text is read in consecutive blocks, and their best sentences compete again.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

BLOCK_SENTENCES = 600
MAX_TERMS = 4000
DAMPING = 0.85
ITERATIONS = 50
MIN_SIMILARITY = 0.05
RELEVANCE_WEIGHT = 0.7
SAME_SIMILARITY = 0.95
"""From here on, two sentences say the same in the same words."""
FULL_LENGTH_WORDS = 6
"""A sentence with fewer content words than this counts for less: it is often half a thought."""

Matrix = npt.NDArray[np.float32]


def pick_sentences(sentences: Sequence[Sequence[str]], count: int) -> list[int]:
    """Return the positions of the best sentences, at most `count`, in order. A sentence is its content words."""
    count = min(count, BLOCK_SENTENCES // 2)  # so that every round leaves at most half
    document_counts = Counter(word for words in sentences for word in set(words))
    weights = {word: math.log(len(sentences) / present) + 1.0 for word, present in document_counts.items()}
    candidates = [position for position, words in enumerate(sentences) if words]
    while len(candidates) > BLOCK_SENTENCES:
        blocks = [
            candidates[first : first + BLOCK_SENTENCES]
            for first in range(0, len(candidates), BLOCK_SENTENCES)
        ]
        candidates = [position for block in blocks for position in _pick(block, sentences, weights, count)]
    return sorted(_pick(candidates, sentences, weights, count))


def _pick(
    block: Sequence[int], sentences: Sequence[Sequence[str]], weights: Mapping[str, float], count: int
) -> list[int]:
    """Return the positions of a block's best sentences in the order of their worth."""
    if not block:
        return []
    words = [sentences[position] for position in block]
    vectors = tfidf(words, weights)
    similarity = vectors @ vectors.T
    lengths = np.array([min(1.0, len(each) / FULL_LENGTH_WORDS) for each in words], dtype=np.float32)
    chosen = maximal_marginal_relevance(centrality(similarity) * lengths, similarity, count)
    return [block[row] for row in chosen]


def tfidf(sentences: Sequence[Sequence[str]], weights: Mapping[str, float]) -> Matrix:
    """Return one row of unit length per sentence, shape (n, v).

    Words of one sentence only lengthen its row and have no column: they resemble nothing.
    """
    counted = [Counter(words) for words in sentences]
    shared = Counter(word for words in counted for word in words)
    columns = {
        word: column for column, (word, present) in enumerate(shared.most_common(MAX_TERMS)) if present > 1
    }
    vectors = np.zeros((len(counted), len(columns)), dtype=np.float32)
    for row, words in enumerate(counted):
        values = {word: (1.0 + math.log(n)) * weights[word] for word, n in words.items()}
        norm = math.sqrt(sum(value * value for value in values.values())) or 1.0
        for word, value in values.items():
            if word in columns:
                vectors[row, columns[word]] = value / norm
    return vectors


def centrality(similarity: Matrix) -> Matrix:
    """Return each sentence's share of a random walk along similarities; shape (n,), sum 1."""
    size = len(similarity)
    links = np.where(similarity > MIN_SIMILARITY, similarity, np.float32(0.0))
    np.fill_diagonal(links, 0.0)
    sums = links.sum(axis=1, keepdims=True)
    # A sentence that resembles none leads anywhere, or the walk would end in it.
    links = np.divide(links, sums, out=np.full_like(links, 1.0 / size), where=sums > 0)
    rank = np.full(size, 1.0 / size, dtype=np.float32)
    for _ in range(ITERATIONS):
        rank = (1.0 - DAMPING) / size + DAMPING * (links.T @ rank)
    return rank


def maximal_marginal_relevance(relevance: Matrix, similarity: Matrix, count: int) -> list[int]:
    """Return at most `count` rows in the order of their worth: relevant, and unlike those already chosen."""
    worth = RELEVANCE_WEIGHT * relevance / max(float(relevance.max()), 1e-12)
    said = np.zeros_like(relevance)
    taken = np.zeros(len(relevance), dtype=bool)
    chosen: list[int] = []
    while len(chosen) < count and not taken.all():
        gain = np.where(taken, -np.inf, worth - (1.0 - RELEVANCE_WEIGHT) * said)
        best = int(gain.argmax())
        chosen.append(best)
        taken[best] = True
        taken |= similarity[best] >= SAME_SIMILARITY
        said = np.maximum(said, similarity[best])
    return chosen
