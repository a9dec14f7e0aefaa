"""Long texts through small requests: nothing lost, nothing twice."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakr.connectors.language.map_reduce import (
    OutOfRoom,
    Stage,
    estimate_tokens,
    pack,
    write_in_parts,
)


class Engine:
    """Records its requests; answers by a function of stage and text."""

    def __init__(self, answer) -> None:
        self.asked: list[tuple[Stage, str]] = []
        self._answer = answer

    def __call__(self, stage: Stage, text: str) -> str:
        self.asked.append((stage, text))
        return self._answer(stage, text)

    def texts(self, stage: Stage) -> list[str]:
        return [text for asked, text in self.asked if asked is stage]


def markers(text: str) -> list[str]:
    return re.findall(r"<\d+>", text)


def test_what_fits_is_asked_about_once():
    engine = Engine(lambda _stage, _text: "fine")
    assert write_in_parts(["one", "two"], engine, 100) == "fine"
    assert engine.asked == [(Stage.WHOLE, "one\ntwo")]


def test_every_line_is_read_once_and_every_note_reaches_the_summary():
    lines = [f"<{number}> " + "word " * (number % 17) for number in range(2000)]
    engine = Engine(
        lambda stage, text: f"notes on {markers(text)[0]} " + "x" * 90 if stage is not Stage.MERGE else "end"
    )

    assert write_in_parts(lines, engine, 300) == "end"

    read = [marker for text in engine.texts(Stage.PART) for marker in markers(text)]
    assert read == [f"<{number}>" for number in range(2000)]
    assert engine.texts(Stage.CONDENSE)
    assert len(engine.texts(Stage.MERGE)) == 1
    assert all(estimate_tokens(text) <= 300 for _, text in engine.asked)


def test_an_engine_that_does_not_condense_gets_its_notes_back_whole():
    lines = [f"<{number}>" for number in range(500)]
    engine = Engine(lambda _stage, text: " ".join(markers(text)))
    summary = write_in_parts(lines, engine, 100)
    assert markers(summary) == lines


def test_a_part_that_is_too_much_is_halved():
    lines = [f"<{number}>" for number in range(40)]

    def answer(stage: Stage, text: str) -> str:
        if stage in {Stage.WHOLE, Stage.PART} and len(markers(text)) > 6:
            raise OutOfRoom
        return " ".join(markers(text))

    engine = Engine(answer)
    assert markers(write_in_parts(lines, engine, 10_000)) == lines
    spoken = [markers(text) for text in engine.texts(Stage.PART) if len(markers(text)) <= 6]
    assert [marker for part in spoken for marker in part] == lines


def test_notes_that_cannot_be_merged_are_given_as_they_are():
    def answer(stage: Stage, text: str) -> str:
        if stage is Stage.MERGE:
            raise OutOfRoom
        return f"notes {len(text)}"

    assert write_in_parts(["a " * 300, "b " * 300], Engine(answer), 250).count("notes") >= 2


@pytest.mark.parametrize("lines", [["short"], ["many words " * 200]])
def test_an_engine_that_never_finishes_is_not_asked_for_ever(lines: list[str]):
    def answer(stage: Stage, text: str) -> str:
        raise OutOfRoom

    engine = Engine(answer)
    with pytest.raises(OutOfRoom):
        write_in_parts(lines, engine, 1000)
    assert len(engine.asked) < 10


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("Cc",))), max_size=30),
    st.integers(20, 200),
)
def test_packing_keeps_every_character_and_the_room(texts: list[str], room: int):
    parts = pack(texts, room)
    squeeze = "".join
    assert squeeze("".join(text.split()) for part in parts for text in part) == squeeze(
        "".join(text.split()) for text in texts
    )
    for part in parts:
        assert estimate_tokens("\n".join(part)) <= room


def test_a_long_line_is_split_between_words():
    (first, *others) = [text for part in pack(["alpha beta gamma delta " * 50], 100) for text in part]
    assert set(first.split()) == {"alpha", "beta", "gamma", "delta"}
    assert all(set(text.split()) <= {"alpha", "beta", "gamma", "delta"} for text in others)


def test_tokens_are_estimated_high_in_every_script():
    assert estimate_tokens("a" * 300) == 100
    assert estimate_tokens("会" * 300) == 300
    assert estimate_tokens("") == 0
