"""Copies of sources are found, and different sources are told apart after a few comparisons."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speakr.domain.transcript import Span
from speakr.media import same_sound
from speakr.media.same_sound import SAMPLED_SECONDS, Voice, without_copies

SECONDS = 3 * SAMPLED_SECONDS


def source(path: Path, seed: int, group: int) -> Voice:
    """Write noise, which is like no other noise, and say that all of it is speech."""
    samples = np.random.default_rng(seed).normal(0, 3000, SECONDS * 16_000).astype("<i2")
    samples.tofile(path)
    return Voice(path, [Span(0.0, float(SECONDS))], group)


def count_comparisons(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    correlate, count = same_sound._correlate, [0]

    def counting(*sounds: same_sound.Sound) -> tuple[float, float]:
        count[0] += 1
        return correlate(*sounds)

    monkeypatch.setattr(same_sound, "_correlate", counting)
    return count


def test_different_sources_are_told_apart_by_a_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = count_comparisons(monkeypatch)
    assert without_copies([source(tmp_path / f"{seed}", seed, seed) for seed in range(2)]) == {}
    assert count[0] == 2 * SAMPLED_SECONDS


def test_a_copy_is_compared_as_a_whole(tmp_path: Path) -> None:
    voices = [source(tmp_path / "one", 1, 0), source(tmp_path / "other", 1, 1)]
    assert without_copies(voices) == {1: 0}


def test_a_search_that_is_no_longer_wanted_ends(tmp_path: Path) -> None:
    class NoLongerWantedError(Exception):
        pass

    calls = []

    def heartbeat() -> None:
        calls.append(1)
        raise NoLongerWantedError

    with pytest.raises(NoLongerWantedError):
        without_copies([source(tmp_path / f"{seed}", seed, seed) for seed in range(3)], heartbeat)
    assert len(calls) == 1
