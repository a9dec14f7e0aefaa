"""What cannot be right about a transcript is seen, and what can be is left alone."""

from __future__ import annotations

import pytest

from speakr.domain.quality import Fault, find_doubts, words_per_minute
from speakr.domain.transcript import Segment, Span

SPEECH = [Span(0.0, 100.0)]


def segment(text: str, start: float = 0.0, end: float = 5.0) -> Segment:
    return Segment(start, end, text)


def faults(*segments: Segment, speech: list[Span] = SPEECH, **options: bool) -> list[tuple[int, Fault]]:
    return [(doubt.at, doubt.fault) for doubt in find_doubts(segments, speech, **options)]


@pytest.mark.parametrize(
    "text",
    [
        "Thank you. " * 6,
        "so so so so so so so",
        "We went to the shop and we went to the shop and we went to the shop and we went to the shop and",
    ],
)
def test_loops_are_seen(text: str) -> None:
    assert faults(segment(text, end=20.0)) == [(0, Fault.LOOP)]


def test_segments_that_repeat_each_other_are_a_loop() -> None:
    looped = [segment("Thanks for watching.", at * 3.0, at * 3.0 + 2) for at in range(5)]
    assert faults(segment("We begin.", 0, 1), *looped) == [(at, Fault.LOOP) for at in range(1, 6)]


@pytest.mark.parametrize(
    "text",
    [
        "No, no, no, no, that is not what I said.",
        "Very, very good, and that that is is fine.",
        "It was a long, long time ago, a long time ago.",
    ],
)
def test_people_repeat_themselves_too(text: str) -> None:
    assert faults(segment(text)) == []


def test_short_answers_may_be_alike() -> None:
    assert faults(*[segment("Yes.", at * 2.0, at * 2.0 + 0.4) for at in range(4)]) == []


def test_text_without_speech_is_found() -> None:
    speech = [Span(0.0, 4.0)]
    found = faults(segment("Hello there.", 0, 4), segment("Subtitles by nobody.", 10, 13), speech=speech)
    assert found == [(1, Fault.TEXT_OVER_SILENCE)]
    assert faults(segment("Hello there.", 10, 13), speech=speech, times_estimated=True) == []


@pytest.mark.parametrize(
    ("words", "seconds"), [(30, 2.0), (2, 60.0)], ids=["faster than anybody", "slower than anybody"]
)
def test_impossible_rates_are_seen(words: int, seconds: float) -> None:
    text = " ".join(f"w{number}" for number in range(words))
    assert faults(segment(text, end=seconds)) == [(0, Fault.IMPOSSIBLE_RATE)]


def test_possible_rates_are_not() -> None:
    quick = " ".join(f"w{number}" for number in range(14))
    assert faults(segment(quick, end=2.5), segment("Yes.", 10.0, 10.1)) == []


def test_a_flip_of_language_is_seen() -> None:
    english = [
        segment("And that is what we have to do with it now.", at * 5.0, at * 5.0 + 4) for at in (0, 2, 4)
    ]
    english = [Segment(s.start, s.end, s.text + f" It is number {n}.") for n, s in enumerate(english)]
    german = segment("Und das ist nicht der Punkt, den wir mit dir haben.", 30, 34)
    russian = segment("Спасибо за просмотр этого видео", 40, 43)
    assert faults(*english, german, russian) == [(3, Fault.OTHER_LANGUAGE), (4, Fault.OTHER_LANGUAGE)]
    assert (
        faults(
            english[0],
            german,
            english[1],
            segment("Und das ist nicht das, was wir mit der Zeit und dir haben.", 35, 39),
        )
        == []
    )


def test_words_per_minute() -> None:
    assert words_per_minute(segment("one two three four five", end=2.0)) == 150.0
    assert words_per_minute(segment("", end=2.0)) is None
    assert words_per_minute(segment("word", 2.0, 2.0)) is None
