"""Packing spans into chunks: nothing lost, nothing moved, nothing too long."""

from __future__ import annotations

import math
from itertools import chain, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakr.domain.transcript import Span
from speakr.media.chunks import plan_chunks

EPSILON = 1e-6


@st.composite
def recordings(draw: st.DrawFn, longest: float = 200.0) -> list[Span]:
    """Sorted spans that do not overlap, some of which touch."""
    steps = draw(st.lists(st.tuples(st.floats(0, 60) | st.just(0.0), st.floats(0.1, longest)), max_size=40))
    at, spans = 0.0, []
    for pause, length in steps:
        spans.append(Span(at + pause, at + pause + length))
        at = spans[-1].end
    return spans


def reach(chunk: list[Span]) -> float:
    return chunk[-1].end - chunk[0].start


@given(recordings(), st.floats(5, 120), st.floats(5, 120))
def test_no_speech_is_lost_and_the_order_is_kept(spans: list[Span], target: float, longest: float) -> None:
    chunks = plan_chunks(spans, target, longest)
    parts = list(chain.from_iterable(chunks))
    assert all(before.end <= after.start for before, after in pairwise(parts))
    assert all(chunks)
    # Joining the parts that were cut gives the spans back, to the last bit.
    rest = iter(parts)
    for span in spans:
        part = next(rest)
        assert part.start == span.start
        while part.end != span.end:
            following = next(rest)
            assert following.start == part.end
            part = following
    assert next(rest, None) is None


@given(recordings(), st.floats(5, 120), st.floats(5, 120))
def test_no_chunk_is_longer_than_the_engine_takes(spans: list[Span], target: float, longest: float) -> None:
    for chunk in plan_chunks(spans, target, longest):
        assert reach(chunk) <= longest + EPSILON
        assert len(chunk) == 1 or reach(chunk) <= target + EPSILON


@given(recordings(longest=60), st.floats(5, 120))
def test_spans_that_fit_are_never_cut(spans: list[Span], target: float) -> None:
    assert list(chain.from_iterable(plan_chunks(spans, target, 60.0 + EPSILON))) == spans


@given(recordings(longest=20), st.floats(20, 120))
def test_chunks_are_filled(spans: list[Span], target: float) -> None:
    """A chunk ends only because the next span would have been too much."""
    for chunk, after in pairwise(plan_chunks(spans, target, 120.0)):
        assert after[0].end - chunk[0].start > target


@given(recordings(), st.floats(5, 120), st.floats(5, 120))
def test_the_plan_is_always_the_same(spans: list[Span], target: float, longest: float) -> None:
    assert plan_chunks(spans, target, longest) == plan_chunks(list(spans), target, longest)


def test_by_example() -> None:
    spans = [Span(0, 4), Span(5, 9), Span(10, 14), Span(40, 41)]
    assert plan_chunks(spans, 10, 60) == [[Span(0, 4), Span(5, 9)], [Span(10, 14)], [Span(40, 41)]]


def test_a_span_longer_than_the_engine_takes_is_cut_into_equal_parts() -> None:
    assert plan_chunks([Span(10, 22)], 30, 5) == [[Span(10, 14)], [Span(14, 18)], [Span(18, 22)]]


def test_an_engine_without_limits_gets_everything_at_once() -> None:
    spans = [Span(0, 4), Span(500, 900)]
    assert plan_chunks(spans, math.inf, math.inf) == [spans]


@pytest.mark.parametrize("target", [10.0, 60.0])
def test_nothing_said_is_nothing_to_do(target: float) -> None:
    assert plan_chunks([], target, 60) == []
