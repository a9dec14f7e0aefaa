"""Group voice vectors by voice: agglomerative clustering with average linkage.

Sources: D. Müllner, "Modern hierarchical, agglomerative clustering algorithms" (2011) for the chain of nearest
neighbours, which needs n² steps and gives the same tree as merging the closest pair each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from speakr.media.voices.vectors import normalised

SAME_VOICE_DISTANCE: Final = 0.64
"""Groups of vectors further apart than this, in cosine distance, are two people. Measured: 0.60 splits people, 0.70 joins them."""
MIN_VOICE_SECONDS: Final = 2.0
"""Smaller clusters, in seconds of speech, are merged into others: they are coughs, laughter and two voices at once."""
MAX_CLUSTERED: Final = 1500
"""Maximum number of clustered vectors; of more, every n-th is clustered and the others join the nearest voice."""

MAX_SMALL_CLUSTERS: Final = 30
"""So many clusters too small for a voice are looked at on the way to more voices."""

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.intp]


class Merge(NamedTuple):
    """Two groups became one. Each is named by one of its vectors."""

    one: int
    other: int
    distance: float


def cluster(
    vectors: Floats,
    seconds: npt.NDArray[np.float64],
    *,
    least: int | None = None,
    most: int | None = None,
) -> Labels:
    """Return the number of the voice of each vector, shape (n,), from 0 without gaps.

    vectors: of length 1, shape (n, 192); seconds: of speech each stands for, shape (n,);
    least, most: bounds on the number of voices, if known.
    """
    if len(vectors) == 0:
        return np.zeros(0, np.intp)
    chosen = _spread(len(vectors), MAX_CLUSTERED)
    if len(chosen) == len(vectors):
        return _counted(vectors, seconds, merges(vectors), least=least, most=most)
    share = seconds[chosen] * (seconds.sum() / max(seconds[chosen].sum(), 1e-9))
    labels = _counted(vectors[chosen], share, merges(vectors[chosen]), least=least, most=most)
    nearest = _renumbered((vectors @ centroids(vectors[chosen], labels).T).argmax(axis=1))
    # A kept vector stood for many, so a voice of one vector seemed to speak for long. Now each counts by itself.
    enough = _drop_small_clusters(vectors, seconds, nearest)
    return enough if least is None or _count(enough) >= least else nearest


def centroids(vectors: Floats, labels: Labels, weights: npt.NDArray[np.float64] | None = None) -> Floats:
    """Return the mean direction of each voice, shape (voices, 192)."""
    count = int(labels.max()) + 1
    membership = np.zeros((count, len(vectors)), np.float32)
    membership[labels, np.arange(len(vectors))] = 1.0 if weights is None else weights
    return normalised(membership @ vectors)


def merges(vectors: Floats) -> list[Merge]:
    """Return the n - 1 merges of average linkage in cosine distance, the closest first."""
    count = len(vectors)
    distances = (1 - vectors @ vectors.T).astype(np.float32)
    np.fill_diagonal(distances, np.inf)
    sizes = np.ones(count)
    is_there = np.ones(count, bool)
    found: list[Merge] = []
    chain: list[int] = []
    while len(found) < count - 1:
        if not chain:
            chain.append(int(is_there.argmax()))
        while True:
            last = chain[-1]
            nearest = int(distances[last].argmin())
            # Of several that are equally near the one before goes first, else the chain could run in circles.
            if len(chain) > 1 and distances[last, chain[-2]] <= distances[last, nearest]:
                break
            chain.append(nearest)
        gone, kept = chain.pop(), chain.pop()
        found.append(Merge(kept, gone, float(distances[kept, gone])))
        mean = (sizes[kept] * distances[kept] + sizes[gone] * distances[gone]) / (sizes[kept] + sizes[gone])
        distances[kept, :] = distances[:, kept] = mean
        distances[gone, :] = distances[:, gone] = np.inf
        distances[kept, kept] = np.inf
        sizes[kept] += sizes[gone]
        is_there[gone] = False
    return sorted(found, key=lambda merge: merge.distance)


def _spread(count: int, most: int) -> npt.NDArray[np.intp]:
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.intp)


def _counted(
    vectors: Floats,
    seconds: npt.NDArray[np.float64],
    tree: Sequence[Merge],
    *,
    least: int | None,
    most: int | None,
) -> Labels:
    """Cut the tree where voices are far enough apart, then go up or down it until their number is right."""
    done = sum(merge.distance <= SAME_VOICE_DISTANCE for merge in tree)
    labels = _drop_small_clusters(vectors, seconds, _cut(tree, done))
    while most is not None and _count(labels) > most and done < len(tree):
        done += 1
        labels = _drop_small_clusters(vectors, seconds, _cut(tree, done))
    if least is None or _count(labels) >= least:
        return labels
    for fewer in range(done - 1, max(-1, len(tree) - least - MAX_SMALL_CLUSTERS), -1):
        split = _drop_small_clusters(vectors, seconds, _cut(tree, fewer))
        if _count(split) >= least:
            return split
    return _cut(tree, max(0, len(vectors) - least))  # then with people who say very little


def _count(labels: Labels) -> int:
    return int(labels.max()) + 1


def _cut(tree: Sequence[Merge], done: int) -> Labels:
    """Return the groups after the first so many merges."""
    group = list(range(len(tree) + 1))

    def root(at: int) -> int:
        while group[at] != at:
            group[at] = group[group[at]]
            at = group[at]
        return at

    for merge in tree[:done]:
        group[root(merge.other)] = root(merge.one)
    return _renumbered(np.array([root(at) for at in range(len(group))]))


def _renumbered(labels: Labels) -> Labels:
    numbers: Labels = np.unique(labels, return_inverse=True)[1].astype(np.intp)
    return numbers


def _drop_small_clusters(vectors: Floats, seconds: npt.NDArray[np.float64], labels: Labels) -> Labels:
    """Dissolve voices with too little speech, the smallest first: each vector joins the nearest remaining voice."""
    labels = labels.copy()
    spoken = np.bincount(labels, weights=seconds)
    sums = np.zeros((len(spoken), vectors.shape[1]), np.float32)
    np.add.at(sums, labels, vectors)
    means = normalised(sums)
    for _ in range(len(spoken) - 1):
        smallest = int(spoken.argmin())
        if spoken[smallest] >= MIN_VOICE_SECONDS:
            break
        members = np.flatnonzero(labels == smallest)
        spoken[smallest] = np.inf  # is dissolved
        similarity = vectors[members] @ means.T
        similarity[:, np.isinf(spoken)] = -np.inf
        labels[members] = similarity.argmax(axis=1)
        np.add.at(sums, labels[members], vectors[members])
        np.add.at(spoken, labels[members], seconds[members])
        means[labels[members]] = normalised(sums[labels[members]])
    return _renumbered(labels)
