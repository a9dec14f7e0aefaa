"""Transcripts in passages: none longer than it should be, no word lost or said twice."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakr.domain.passages import MAX_PASSAGE_LENGTH, WORDS, Passage, cut


def test_short_segments_are_put_together() -> None:
    assert cut(["Hello  there.", "", " \n", "Hi."]) == [Passage(0, 3, "Hello there. Hi.")]


@pytest.mark.parametrize("texts", [[], [""], [" ", "\n"]])
def test_where_nothing_is_said_there_is_no_passage(texts: list[str]) -> None:
    assert cut(texts) == []


def test_borders_are_those_of_segments() -> None:
    found = cut(["one " * 70, "two " * 60, "three " * 50])
    assert [(passage.first, passage.last) for passage in found] == [(0, 0), (1, 2)]


def test_a_long_segment_becomes_several_passages() -> None:
    found = cut(["a", "word " * 300, "b"])
    assert [(passage.first, passage.last) for passage in found] == [(0, 0), (1, 1), (1, 1), (1, 2)]


@given(
    st.lists(st.text(alphabet="ab 中\n", max_size=40), max_size=30),
    st.lists(st.integers(min_value=0, max_value=400), max_size=5),
)
def test_no_word_is_lost_and_none_is_too_much(texts: list[str], lengths: list[int]) -> None:
    texts += ["word " * length for length in lengths] + ["中" * 5 * length for length in lengths]
    found = cut(texts)
    assert "".join("".join(passage.text for passage in found).split()) == "".join("".join(texts).split())
    for passage in found:
        assert 0 < len(passage.text) <= MAX_PASSAGE_LENGTH
        assert len(passage.text.split()) <= WORDS
        assert texts[passage.first].strip()
        assert texts[passage.last].strip()
    assert [p.first for p in found] == sorted(p.first for p in found)
    assert all(before.last <= after.first for before, after in pairwise(found))
