"""The measure itself."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from evaluation.diarization_errors import best_pairs, diarization_errors

REFERENCE = [(0.0, 10.0, "ann"), (10.0, 20.0, "ben")]


def test_names_do_not_matter() -> None:
    assert diarization_errors(REFERENCE, [(0, 10, "x"), (10, 20, "y")], 20).rate == 0


def test_one_speaker_for_two_confuses_half() -> None:
    errors = diarization_errors(REFERENCE, [(0, 20, "x")], 20, collar=0)
    assert (errors.confused, errors.rate) == (pytest.approx(10), pytest.approx(50))


def test_missed_speech_false_alarms_and_overlap() -> None:
    errors = diarization_errors([*REFERENCE, (8.0, 12.0, "cid")], [(0, 10, "x"), (15, 25, "y")], 30, collar=0)
    assert (errors.missed, errors.false_alarm, errors.confused, errors.spoken) == pytest.approx((9, 5, 0, 24))


def test_the_collar_forgives_edges_only() -> None:
    found = [(0.2, 10.2, "x"), (10.2, 19.8, "y")]
    assert diarization_errors(REFERENCE, found, 20).rate == 0
    assert diarization_errors(REFERENCE, found, 20, collar=0).rate == pytest.approx(3)


def test_no_speech() -> None:
    assert diarization_errors([], [(0, 1, "x")], 2).false_alarm == pytest.approx(1)
    assert diarization_errors(REFERENCE, [], 20).rate == 100


def test_pairs_are_the_best_there_are() -> None:
    random = np.random.default_rng(4)
    for _ in range(60):
        rows, columns = (int(size) for size in random.integers(1, 6, 2))
        gain = random.integers(0, 20, (rows, columns))
        wide = gain if rows <= columns else gain.T
        best = max(
            sum(int(wide[row, column]) for row, column in enumerate(chosen))
            for chosen in permutations(range(wide.shape[1]), wide.shape[0])
        )
        pairs = best_pairs(gain)
        assert sum(int(gain[pair]) for pair in pairs) == best
        assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == min(rows, columns)
