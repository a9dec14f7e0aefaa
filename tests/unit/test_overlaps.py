"""Segments that other speakers overlap are marked."""

from __future__ import annotations

import random

import pytest

from speakr.domain.overlaps import MIN_OVERLAP_SECONDS, mark_overlaps
from speakr.domain.transcript import Segment


def said(*parts: tuple[float, float, str]) -> list[Segment]:
    return [Segment(start, end, "words", speaker) for start, end, speaker in parts]


def marked(*parts: tuple[float, float, str]) -> list[bool]:
    return [segment.overlap for segment in mark_overlaps(said(*parts))]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(0, 5, "A"), (4, 8, "B")], [True, True]),
        ([(0, 10, "A"), (3, 4, "B"), (6, 7, "A")], [True, True, False]),
        ([(0, 10, "A"), (1, 2, "A"), (8, 12, "B")], [True, False, True]),
        ([(0, 9, "A"), (1, 2, "B"), (3, 4, "C"), (5, 6, "A")], [True, True, True, False]),
        ([(0, 5, "A"), (4, 8, "A")], [False, False]),
        ([(0, 5, "A"), (5, 8, "B")], [False, False]),
        ([(0, 5, "A"), (4.9, 8, "B")], [False, False]),
        ([(0, 5, "A"), (2, 2.1, "B")], [False, False]),
        ([], []),
    ],
    ids=["partly", "inside", "past-an-own-one", "three", "same", "touching", "hardly", "too-short", "none"],
)
def test_who_speaks_into_whom(parts: list[tuple[float, float, str]], expected: list[bool]) -> None:
    assert marked(*parts) == expected


def test_a_mark_that_is_not_true_any_more_is_taken_off() -> None:
    assert [one.overlap for one in mark_overlaps([Segment(0, 5, "alone", overlap=True)])] == [False]


def test_it_is_what_comparing_every_pair_gives() -> None:
    chance = random.Random(7)  # noqa: S311 - no secret is made of it
    for _ in range(200):
        starts = sorted(round(chance.uniform(0, 20), 1) for _ in range(12))
        parts = [(at, round(at + chance.uniform(0, 4), 1), chance.choice("ABCD")) for at in starts]
        expected = [
            any(
                mine[2] != other[2] and min(mine[1], other[1]) >= max(mine[0], other[0]) + MIN_OVERLAP_SECONDS
                for other in parts
            )
            for mine in parts
        ]
        assert marked(*parts) == expected
