"""The comparison itself: what cannot fail proves nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.shapes import MOMENT, STATUS, Each, Maybe, filled, unlike


@pytest.mark.parametrize(
    ("example", "answer"),
    [
        ({"a": 1}, {}),
        ({"a": 1}, {"a": None}),
        ({"a": 1}, {"a": "1"}),
        ({"a": 1}, {"a": 1.5}),
        ({"a": 1}, {"a": True}),
        ({"a": True}, {"a": 1}),
        ({"a": 1.5}, {"a": "1.5"}),
        ({"a": "x"}, {"a": 1}),
        ({"a": MOMENT}, {"a": "2024-01-15T10:00:00"}),
        ({"a": MOMENT}, {"a": "2024-01-15T10:00:00.123456Z"}),
        ({"a": MOMENT}, {"a": "2024-01-15T10:00:00+00:00"}),
        ({"a": Maybe(1)}, {"a": "x"}),
        ({"a": Maybe(1)}, {}),
        ({"a": [{"b": 1}]}, {"a": []}),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1}, {}]}),
        ({"a": {"b": 1}}, {"a": []}),
        ({"a": STATUS}, {"a": "QUEUED"}),
        (Each({"b": 1}), {"x": {}}),
        ([1], {}),
    ],
)
def test_a_difference_is_reported(example: Any, answer: Any) -> None:
    assert unlike(example, answer)


@pytest.mark.parametrize(
    ("example", "answer"),
    [
        ({"a": 1}, {"a": 2, "b": 3}),
        ({"a": 1.5}, {"a": 2}),
        ({"a": Maybe(1)}, {"a": None}),
        ({"a": Maybe(1)}, {"a": 1}),
        ({"a": None}, {"a": None}),
        ({"a": []}, {"a": ["anything"]}),
        ({"a": MOMENT}, {"a": "2026-11-21T15:28:42Z"}),
        (Each([1]), {"x": [1], "y": [2, 3]}),
    ],
)
def test_what_is_alike(example: Any, answer: Any) -> None:
    assert unlike(example, answer) == []


def test_ids_are_filled_in() -> None:
    ids = {"tag": 7}
    assert filled({"/tags/{tag}": ["{tag}", "tag {tag}", None, 1]}, ids) == {"/tags/7": [7, "tag 7", None, 1]}
    assert filled(["{{tag}}", "{{tag}} of {tag}"], ids) == ["{{tag}}", "{{tag}} of 7"]
