"""Text in paragraphs: where they break, and what is added to them."""

from __future__ import annotations

import pytest

from speakr.domain.paragraphs import ParagraphRules, of_segments, of_text
from speakr.domain.transcript import Segment

RULES = ParagraphRules()


def said(*parts: tuple[float, float, str]) -> list[Segment]:
    return [Segment(*part) for part in parts]


@pytest.mark.parametrize(
    ("pause", "expected"),
    [
        (1.9, "Good morning all of you."),
        (2.0, "Good morning all of you."),
        (2.01, "Good morning.\n\nAll of you."),
    ],
)
def test_only_a_pause_longer_than_the_limit_ends_a_paragraph(pause: float, expected: str) -> None:
    segments = said((0.0, 1.0, "good morning"), (1.0 + pause, 5.0, "all of you"))
    assert of_segments(segments, RULES) == expected


def test_a_paragraph_ends_when_it_is_longer_than_twice_the_sentence_length() -> None:
    rules = ParagraphRules(max_sentence_length=5)
    segments = said((0, 1, "aaaa"), (1, 2, "bbbbb"), (2, 3, "c"), (3, 4, "d"))
    # «aaaa bbbbb» has exactly ten characters.
    assert of_segments(segments, rules) == "Aaaa bbbbb c.\n\nD."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  who  is\n there? ", "Who is there?"),
        ("stop!", "Stop!"),
        ("it is 5", "It is 5."),
        ("élan", "Élan."),
        ("好。", "好。"),
        ("and then…", "And then…"),
    ],
)
def test_white_space_capital_letter_and_final_mark(text: str, expected: str) -> None:
    assert of_segments(said((0, 1, text)), RULES) == expected
    assert of_text(text, RULES) == expected


def test_nothing_gives_nothing() -> None:
    assert of_segments([], RULES) == of_segments(said((0, 1, "  ")), RULES) == of_text(" \n", RULES) == ""


def test_off_leaves_the_text_as_it_is() -> None:
    off = ParagraphRules(is_on=False)
    assert of_segments(said((0, 1, "one  two"), (9, 10, "three")), off) == "one  two three"
    assert of_text(" one  two ", off) == " one  two "


def test_words_of_a_person_stay_as_written() -> None:
    segments = said((0, 1, "iPhone notes"), (9, 10, "no full stop"))
    assert of_segments(segments, RULES, is_edited=True) == "iPhone notes\n\nno full stop"


def test_text_without_times_breaks_between_sentences_beyond_one_and_a_half_times_the_length() -> None:
    rules = ParagraphRules(max_sentence_length=10)
    text = "one two three. four five. six"  # 14, then 25 characters
    assert of_text(text, rules) == "One two three. four five.\n\nSix."


def test_ten_thousand_segments_take_little_time() -> None:
    segments = said(*((number, number + 0.5, "some words here") for number in range(10_000)))
    text = of_segments(segments, RULES)
    assert len(text.split()) == 30_000
