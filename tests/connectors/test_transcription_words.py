"""Estimated word times and mean probabilities."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakr.connectors.transcription.words import mean_probability, overlap, spread_words
from speakr.domain.transcript import Span, Word


def test_long_words_weigh_more():
    words = [Word("responsibility", 0.0, 0.9, 0.2), Word("a", 0.9, 1.0, 1.0), Word("um", 1.0, 9.0)]
    assert mean_probability(words) == pytest.approx(0.28)
    assert mean_probability([Word("um", 0.0, 1.0)]) is None
    assert mean_probability([Word("a", 1.0, 1.0, 0.5), Word("b", 1.0, 1.0, 1.0)]) == 0.75


def test_words_are_laid_along_the_speech_by_their_letters():
    words = spread_words(["aa", "bbbb", "cc"], [Span(10.0, 11.0), Span(20.0, 21.0)])
    assert [(word.text, word.start, word.end) for word in words] == [
        ("aa", 10.0, pytest.approx(10.5)),
        ("bbbb", pytest.approx(20.0), pytest.approx(20.5)),
        ("cc", pytest.approx(20.5), pytest.approx(21.0)),
    ]


@st.composite
def pauses_and_speech(draw: st.DrawFn) -> list[Span]:
    spans, now = [], 0.0
    for pause, length in draw(
        st.lists(st.tuples(st.floats(0.0, 5.0), st.floats(0.0, 9.0)), min_size=1, max_size=8)
    ):
        spans.append(Span(now + pause, now + pause + length))
        now = spans[-1].end
    return spans


@given(st.lists(st.text("abc", min_size=1), max_size=40), pauses_and_speech())
def test_estimated_words_are_in_order_and_inside_speech(tokens: list[str], spans: list[Span]):
    words = spread_words(tokens, spans)
    assert [word.text for word in words] == (tokens if any(span.duration > 0 for span in spans) else [])
    for word in words:
        assert word.start <= word.end
        assert any(span.start <= word.start and word.end <= span.end for span in spans)
    assert all(one.start <= other.start for one, other in pairwise(words))


def test_overlap_falls_back_to_the_stretch_itself():
    spans = [Span(0.0, 1.0), Span(2.0, 3.0)]
    assert overlap(spans, 0.5, 2.5) == [Span(0.5, 1.0), Span(2.0, 2.5)]
    assert overlap(spans, 1.2, 1.8) == [Span(1.2, 1.8)]
