"""Vectors become voices."""

from __future__ import annotations

import numpy as np
import pytest

from speakr.media.voices import clustering
from speakr.media.voices.clustering import cluster, merges
from speakr.media.voices.vectors import normalised


def crowd(people: int, each: int, *, noise: float = 0.02, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors of dissimilar speakers, mixed, and the speaker of each."""
    random = np.random.default_rng(seed)
    who = random.permutation(np.repeat(np.arange(people), each))
    means = np.eye(people, 192)
    vectors = np.abs(means[who] + random.normal(0, noise, (len(who), 192)))
    return normalised(vectors.astype(np.float32)), who


def is_same_partition(labels: np.ndarray, who: np.ndarray) -> bool:
    return len(set(zip(labels.tolist(), who.tolist(), strict=True))) == len(set(who)) == len(set(labels))


def test_the_tree_is_that_of_always_merging_the_closest_pair() -> None:
    random = np.random.default_rng(2)
    vectors = normalised(random.random((40, 192)).astype(np.float32))
    groups = [[at] for at in range(len(vectors))]
    distances = 1 - vectors @ vectors.T
    heights = []
    while len(groups) > 1:
        height, one, other = min(
            (distances[np.ix_(a, b)].mean(), i, j)
            for i, a in enumerate(groups)
            for j, b in enumerate(groups)
            if i < j
        )
        heights.append(height)
        groups[one] += groups.pop(other)
    assert [merge.distance for merge in merges(vectors)] == pytest.approx(heights, abs=1e-5)


@pytest.mark.parametrize("people", [1, 2, 5])
def test_people_are_found_without_being_counted(people: int) -> None:
    vectors, who = crowd(people, 20)
    assert is_same_partition(cluster(vectors, np.full(len(who), 0.4)), who)


def test_so_many_vectors_that_only_some_are_clustered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clustering, "MAX_CLUSTERED", 60)
    vectors, who = crowd(3, 100)
    assert is_same_partition(cluster(vectors, np.full(len(who), 0.4)), who)


def test_one_cough_is_no_speaker_in_a_recording_of_which_some_vectors_are_clustered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clustering, "MAX_CLUSTERED", 60)
    vectors, who = crowd(2, 150)
    cough = np.zeros((1, 192), np.float32)
    cough[0, 191] = 1.0
    vectors[0] = cough  # the first vector is always among those that are clustered
    labels = cluster(vectors, np.full(len(who), 0.8))
    assert set(labels) == {0, 1}
    assert is_same_partition(labels[1:], who[1:])
    three = cluster(vectors, np.full(len(who), 0.8), least=3)
    assert set(three) == {0, 1, 2}, "who counts three speakers gets three"


def test_hints_about_the_number_are_applied() -> None:
    vectors, who = crowd(4, 20)
    seconds = np.full(len(who), 0.4)
    assert len(set(cluster(vectors, seconds, most=2))) == 2
    assert len(set(cluster(vectors, seconds, least=6))) >= 6
    assert is_same_partition(cluster(vectors, seconds, least=2, most=5), who)
    assert len(set(cluster(vectors[:3], seconds[:3], least=9))) == 3, "there is no more to tell apart"


def test_a_hint_that_cannot_be_true_does_not_take_long() -> None:
    vectors, who = crowd(2, 300)
    assert len(set(cluster(vectors, np.full(len(who), 0.4), least=200))) == 200


def test_a_speaker_with_little_speech_joins_another_one() -> None:
    vectors, who = crowd(2, 20)
    seconds = np.where(who == 1, 0.05, 0.4)
    assert set(cluster(vectors, seconds)) == {0}


def test_no_speaker_and_one() -> None:
    assert len(cluster(np.zeros((0, 192), np.float32), np.zeros(0))) == 0
    assert cluster(crowd(1, 1)[0], np.array([0.3])).tolist() == [0]
