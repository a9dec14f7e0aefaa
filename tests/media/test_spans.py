"""From probabilities to spans, by hand-made probabilities."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakr.domain.transcript import Span
from speakr.media.spans import FRAME_SECONDS, MAX_SPAN_SECONDS, spans_of_speech


def spans(*stretches: tuple[float, float]) -> list[Span]:
    """Spans of stretches of one probability each: (seconds, probability)."""
    frames = [np.full(round(seconds / FRAME_SECONDS), level, np.float32) for seconds, level in stretches]
    probabilities = np.concatenate(frames)
    return spans_of_speech(probabilities, duration=len(probabilities) * FRAME_SECONDS)


def lengths(found: list[Span]) -> list[float]:
    return [span.duration for span in found]


def test_speech_is_widened_by_a_margin_but_not_over_the_ends() -> None:
    (middle,) = spans((1.6, 0.0), (1.6, 0.9), (1.6, 0.0))
    assert (middle.start, middle.end) == pytest.approx((1.5, 3.3), abs=1e-6)
    (whole,) = spans((1.6, 0.9))
    assert (whole.start, whole.end) == pytest.approx((0, 1.6), abs=1e-6)


def test_what_has_begun_goes_on_at_a_lower_level() -> None:
    assert spans((1, 0.0), (1, 0.45), (1, 0.0)) == []
    assert lengths(spans((1, 0.0), (0.5, 0.9), (1, 0.45), (1, 0.0))) == pytest.approx([1.7], abs=0.04)


def test_short_pauses_are_kept_inside() -> None:
    assert len(spans((1, 0.9), (0.25, 0.0), (1, 0.9), (1, 0.0))) == 1
    assert len(spans((1, 0.9), (0.5, 0.0), (1, 0.9), (1, 0.0))) == 2


def test_clicks_are_not_speech() -> None:
    assert spans((1, 0.0), (0.064, 0.9), (1, 0.0)) == []
    assert len(spans((1, 0.0), (0.128, 0.9), (1, 0.0))) == 1


def test_a_long_span_is_cut_where_speech_is_least_likely() -> None:
    first, second = spans((13, 0.9), (0.064, 0.4), (12, 0.9))
    assert first.end == second.start == pytest.approx(13.0, abs=0.05)


def test_a_dip_near_the_end_is_no_place_to_cut() -> None:
    found = spans((1, 0.9), (0.064, 0.4), (25, 0.9))
    assert min(lengths(found)) >= 5


@given(st.lists(st.tuples(st.floats(0.03, 30), st.floats(0, 1)), min_size=1, max_size=12))
def test_always_in_order_inside_and_never_too_long(stretches: list[tuple[float, float]]) -> None:
    total = sum(round(seconds / FRAME_SECONDS) for seconds, _ in stretches) * FRAME_SECONDS
    found = spans(*stretches)
    assert all(0 <= span.start < span.end <= total + 1e-9 for span in found)
    assert all(before.end <= after.start for before, after in pairwise(found))
    assert all(length <= MAX_SPAN_SECONDS for length in lengths(found))
    sure = sum(seconds for seconds, level in stretches if level >= 0.5 and seconds > 0.2)
    assert sum(lengths(found)) >= sure - 0.04 * len(stretches)
