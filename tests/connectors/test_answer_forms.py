"""Answers with holes in their times, arrays, milliseconds, and speakers of words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from speakr.connectors.clean_answers import CleanTranscriber
from speakr.connectors.transcription.answer_times import Window
from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk
from speakr.connectors.transcription.openai_answers import read_answer
from speakr.domain.transcript import Hints, Hypothesis, Segment, Span

START, SECONDS = 600.0, 60
CHUNK = AudioChunk(np.ones(SECONDS * SAMPLE_RATE, dtype=np.int16), START, (Span(START, START + SECONDS),))


def read(segments: Any, **answer: Any) -> Hypothesis:
    hypothesis = read_answer({"segments": segments, **answer}, CHUNK, None)
    assert hypothesis is not None
    for segment in hypothesis.segments:
        assert START <= segment.start <= segment.end <= START + SECONDS
        assert all(segment.start <= word.start <= word.end <= segment.end for word in segment.words)
    return hypothesis


def said(start: object, end: object, text: str = "One two.", **more: Any) -> dict[str, Any]:
    return {"start": start, "end": end, "text": text, **more}


def times(hypothesis: Hypothesis) -> list[tuple[float, float]]:
    return [(round(each.start - START, 2), round(each.end - START, 2)) for each in hypothesis.segments]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (None, None),
        ("soon", "later"),
        (float("nan"), 20),
        (30, None),
        (20, 20),
        (30, 25),
        (True, []),
        (-5, None),
        (70, 80),
    ],
)
def test_a_hole_is_filled_in_order(start: object, end: object) -> None:
    listed = [said(0, 10, "First."), said(start, end, "Second."), said(40, 50, "Third.")]
    hypothesis = read(listed)
    assert [each.text for each in hypothesis.segments] == ["First.", "Second.", "Third."]
    assert hypothesis.times_estimated
    first, second, third = times(hypothesis)
    assert (first, third) == ((0, 10), (40, 50))
    assert 0 <= second[0] < second[1] <= 40


def test_missing_times_share_the_gap_by_the_length_of_the_texts() -> None:
    holes = [{"text": "aa aa"}, {"text": "bb bb bb bb bbb"}]
    assert times(read([said(0, 10), *holes, said(50, 60)])) == [(0, 10), (10, 20), (20, 50), (50, 60)]
    assert times(read(holes)) == [(0, 15), (15, 60)]


def test_times_as_texts_and_before_the_start() -> None:
    hypothesis = read([said("-1", "2.5"), said("00:00:03.5", "00:04,25"), said(5, 99)])
    assert times(hypothesis) == [(0, 2.5), (3.5, 4.25), (5, 60)]


def test_times_in_milliseconds() -> None:
    words = [{"word": "One", "start": 1000, "end": 1500}, {"word": "two.", "start": 1500, "end": 2000}]
    hypothesis = read([said(1000, 2000, words=words), said(30000, 59000)])
    assert times(hypothesis) == [(1, 2), (30, 59)]
    assert hypothesis.segments[0].words[1].start == START + 1.5


@pytest.mark.parametrize("late", [7, 99, 180])
def test_whole_seconds_far_beyond_a_short_chunk_are_no_milliseconds(late: int) -> None:
    said_at = [{"start": 0, "end": 1}, {"start": 1, "end": late}]
    window = Window(0.0, 2.0).in_units_of((each[name] for each in said_at for name in each), word_count=8)
    assert window.units == 1.0
    assert Window(0.0, 2.0).in_units_of([0, 1900], word_count=8).units == 1000.0


@pytest.mark.parametrize(
    "array",
    [
        [1, 0, 3.0, 5.0, " One two.", [50364, 440], 0.0, -0.2, 1.1, 0.01, None],
        [
            1,
            0,
            3.0,
            5.0,
            " One two.",
            [50364],
            -0.2,
            1.1,
            0.01,
            [[3.0, 4.0, " One", 0.9], [4.0, 5.0, " two.", 0.8]],
            0.0,
        ],
    ],
)
def test_segments_as_arrays_keep_their_times(array: list[Any]) -> None:
    hypothesis = read([array, [2, 0, 6.0, 8.0, "Three.", []]])
    assert times(hypothesis) == [(3, 5), (6, 8)]
    assert [each.text for each in hypothesis.segments] == ["One two.", "Three."]


@pytest.mark.parametrize(
    "broken", [[], [[]], [[1, 2]], ["text"], [None, 5], [{"text": None}], [{"text": ["x"]}]]
)
def test_broken_lists_do_not_break_the_reader(broken: list[Any]) -> None:
    read(broken, text="Hello there.")


def test_words_without_times_stay_in_their_place() -> None:
    words = [
        {"word": "In", "start": 1, "end": 2}, {"word": "2014"}, {"word": "we", "start": 3, "end": 4},
        {"word": "met", "start": 4, "end": 5}, {"word": "there", "start": 5, "end": 6},
    ]  # fmt: skip
    hypothesis = read([said(1, 6, "In 2014 we met there", words=words)])
    (segment,) = hypothesis.segments
    assert [word.text for word in segment.words] == ["In", "2014", "we", "met", "there"]
    assert (segment.words[1].start, segment.words[1].end) == (START + 2, START + 3)
    assert not hypothesis.times_estimated


# -- speakers


def words_by(*turns: tuple[str | None, str], seconds: float = 0.4) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for speaker, text in turns:
        for word in text.split():
            at = round(len(made) * seconds, 3)
            who = {} if speaker is None else {"speaker": speaker}
            made.append({"word": word, "start": at, "end": round(at + seconds, 3), **who})
    return made


def turns(hypothesis: Hypothesis) -> list[tuple[str, str]]:
    return [(each.speaker, each.text) for each in hypothesis.segments]


def test_a_segment_is_split_where_its_words_change_speaker() -> None:
    words = words_by(("SPEAKER_00", "Did you call the bank?"), ("SPEAKER_01", "Yes I did."))
    text = "Did you call the bank? Yes I did."
    hypothesis = read([said(0, 3.2, text, speaker="SPEAKER_00", words=words)])
    assert turns(hypothesis) == [("SPEAKER_00", "Did you call the bank?"), ("SPEAKER_01", "Yes I did.")]
    assert times(hypothesis) == [(0, 2.0), (2.0, 3.2)]
    assert turns(read([said(0, 3.2, text)], words=words)) == turns(hypothesis)
    assert turns(read(None, text=text, words=words)) == turns(hypothesis)


def test_one_short_word_amid_those_of_another_is_no_turn() -> None:
    flicker = words_by(("A", "we went"), ("B", "to"), ("A", "the bank"), seconds=0.2)
    assert turns(read([said(0, 1, "we went to the bank", words=flicker)])) == [
        ("SPEAKER_00", "we went to the bank")
    ]
    longer = words_by(("A", "we went"), ("B", "no"), ("A", "the bank"), seconds=0.5)
    assert len(read([said(0, 2.5, "we went no the bank", words=longer)]).segments) == 3
    answer = words_by(("A", "are you there"), ("B", "yes"), seconds=0.2)
    assert len(read([said(0, 0.8, "are you there yes", words=answer)]).segments) == 2


def test_words_without_a_speaker_have_the_one_before() -> None:
    words = words_by((None, "So"), ("A", "did you"), (None, "call?"), ("B", "Yes."), (None, "Yes."))
    assert turns(read([said(0, 2.4, "So did you call? Yes. Yes.", words=words)])) == [
        ("SPEAKER_00", "So did you call?"),
        ("SPEAKER_01", "Yes. Yes."),
    ]


def test_the_text_of_a_language_without_spaces_is_cut_in_place() -> None:
    words = words_by(("A", "你 好 吗"), ("B", "我 很 好"))
    assert turns(read([said(0, 2.4, "你好吗？我很好。", words=words)])) == [  # noqa: RUF001 - Chinese
        ("SPEAKER_00", "你好吗？"),  # noqa: RUF001
        ("SPEAKER_01", "我很好。"),
    ]


@pytest.mark.parametrize(
    "nameless", [{}, {"speaker": None}, {"speaker": ""}, {"speaker": "UNKNOWN"}, {"speaker": {}}]
)
def test_a_segment_without_a_speaker_is_no_further_person(nameless: dict[str, Any]) -> None:
    listed = [
        said(0, 1, "a", **nameless), said(1, 2, "b", speaker="X"), said(2, 3, "c", **nameless),
        said(3, 4, "d", speaker="Y"), said(4, 5, "e", **nameless),
    ]  # fmt: skip
    speakers = [each.speaker for each in read(listed).segments]
    assert speakers == ["SPEAKER_00", "SPEAKER_00", "SPEAKER_00", "SPEAKER_01", "SPEAKER_01"]
    assert [each.speaker for each in read([said(0, 1, **nameless)]).segments] == ["SPEAKER_00"]


def test_speakers_may_be_numbers_from_0() -> None:
    listed = [said(0, 1, speaker=0), said(1, 2, speaker=1), said(2, 3, speaker=0)]
    assert [each.speaker for each in read(listed).segments] == ["SPEAKER_00", "SPEAKER_01", "SPEAKER_00"]


# -- no speech


class Engine:
    name, models, default_model, capabilities = "engine", (), None, None

    def transcribe(self, chunk: AudioChunk, _hints: Hints, on_segment: Any) -> Hypothesis:
        texts = ["Hello.", "!!!!", "[BLANK_AUDIO]", "Thanks for watching!", "Bye."]
        found = [Segment(START + at, START + at + 1, text) for at, text in enumerate(texts)]
        for segment in found:
            on_segment(segment)
        return Hypothesis(found, language="english")


def test_segments_that_are_no_speech_are_neither_published_nor_kept() -> None:
    chunk = AudioChunk(CHUNK.samples, START, (Span(START, START + 1), Span(START + 4, START + 5)))
    published: list[str] = []
    engine: Any = Engine()
    found = CleanTranscriber(engine).transcribe(
        chunk, Hints(), lambda segment: published.append(segment.text)
    )
    assert [each.text for each in found.segments] == published == ["Hello.", "Bye."]
    assert found.language == "en"
