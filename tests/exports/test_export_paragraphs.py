"""A transcript in paragraphs."""

from __future__ import annotations

from speakr.domain.transcript import Segment
from speakr.exports.paragraphs import FAR_TOO_MANY_WORDS, to_paragraphs

LONG = "These are ten words that end in a full stop."


def talk(*turns: tuple[str, float, float, str]) -> list[tuple[str, str]]:
    segments = [Segment(start, end, text, speaker) for speaker, start, end, text in turns]
    return [(paragraph.speaker, paragraph.text) for paragraph in to_paragraphs(segments)]


def test_what_one_speaker_says_is_one_paragraph() -> None:
    assert talk(("A", 0, 1, "One "), ("A", 1.1, 2, " two."), ("B", 2, 3, "Three."), ("A", 3, 4, "Four.")) == [
        ("A", "One two."),
        ("B", "Three."),
        ("A", "Four."),
    ]


def test_a_long_pause_begins_a_paragraph_once_enough_was_said() -> None:
    assert talk(("A", 0, 1, "So."), ("A", 9, 10, "Well.")) == [("A", "So. Well.")]
    first = [("A", at * 3.0, at * 3.0 + 2.9, LONG) for at in range(2)]
    assert talk(*first, ("A", 20, 21, "Next.")) == [("A", f"{LONG} {LONG}"), ("A", "Next.")]


def test_a_long_paragraph_ends_with_a_sentence() -> None:
    turns = [("A", at * 3.0, at * 3.0 + 3, LONG) for at in range(40)]
    lengths = [len(text.split()) for _, text in talk(*turns)]
    assert lengths == [150, 150, 100]


def test_where_no_sentence_ends_it_ends_all_the_same() -> None:
    turns = [("A", at * 3.0, at * 3.0 + 3, "words without any end") for at in range(200)]
    assert max(len(text.split()) for _, text in talk(*turns)) <= FAR_TOO_MANY_WORDS


def test_times_are_those_of_the_whole() -> None:
    (paragraph,) = to_paragraphs([Segment(1.0, 2.0, "a"), Segment(2.0, 3.5, "b")])
    assert (paragraph.start, paragraph.end) == (1.0, 3.5)
    assert to_paragraphs([]) == []
