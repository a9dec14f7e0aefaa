"""Two hundred cuts inside speech: no word is lost there, none is doubled."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from evaluation.scripted_speech import OVERLAP, SEAMS_EACH, talks
from speakr.domain.seams import RecognizedChunk, join
from speakr.domain.transcript import Segment, Word


def texts(segments: Sequence[Segment]) -> list[str]:
    for segment in segments:
        assert segment.text.split() == [word.text for word in segment.words]
    return [word.text for segment in segments for word in segment.words]


def test_two_hundred_planted_seams_lose_and_double_nothing():
    count = 0
    for spoken, chunks in talks(200, 20261121):
        assert texts(join(chunks, [OVERLAP] * SEAMS_EACH)) == [word.text for word in spoken]
        count += SEAMS_EACH
    assert count == 200


def segment(*words: tuple[str, float, float], text: str = "") -> Segment:
    made = [Word(*word) for word in words]
    return Segment(made[0].start, made[-1].end, text or " ".join(word.text for word in made), words=made)


def test_hearings_that_have_nothing_in_common_are_cut_by_time():
    left = segment(("aa", 8.0, 8.5), ("bb", 9.0, 9.5), ("cc", 10.5, 11.0))
    right = segment(("xx", 8.5, 9.0), ("yy", 10.1, 10.6), ("zz", 11.0, 11.5))
    joined = join([RecognizedChunk(0, 10, [left]), RecognizedChunk(10, 20, [right])], [2.0])
    assert texts(joined) == ["aa", "bb", "yy", "zz"]


def test_a_cut_at_a_pause_is_left_alone():
    left, right = segment(("yes", 9.0, 9.9)), segment(("yes", 10.0, 10.4))
    assert join([RecognizedChunk(0, 10, [left]), RecognizedChunk(10, 20, [right])], [0.0]) == [left, right]


def test_the_text_keeps_its_punctuation_and_the_segment_its_times():
    left = segment(("good", 8.0, 8.4), ("morning", 9.0, 9.5), ("all", 10.2, 10.6), text="Good morning, all.")
    right = segment(("morning", 9.02, 9.5), ("all", 10.2, 10.6), ("of", 11, 11.2), text="Morning, all of")
    first, second = join([RecognizedChunk(0, 10, [left]), RecognizedChunk(10, 20, [right])], [2.0])
    assert (first.text, second.text) in {("Good morning,", "all of"), ("Good morning, all.", "of")}
    assert first.end <= second.start


def test_a_segment_that_loses_all_its_words_goes():
    left = [segment(("one", 7.0, 7.4), ("two", 9.6, 10.0)), segment(("three", 10.6, 11.0))]
    right = [segment(("two", 9.6, 10.0)), segment(("three", 10.6, 11.0), ("four", 12.0, 12.5))]
    joined = join([RecognizedChunk(0, 10, left), RecognizedChunk(10, 20, right)], [2.0])
    assert texts(joined) == ["one", "two", "three", "four"]


@pytest.mark.parametrize("silent", [0, 1])
def test_an_empty_side_takes_nothing_from_the_other(silent: int):
    words = [segment(("one", 8.5, 9.0), ("two", 10.5, 11.0))]
    chunks = [
        RecognizedChunk(0, 10, [] if silent == 0 else words),
        RecognizedChunk(10, 20, [] if silent == 1 else words),
    ]
    assert texts(join(chunks, [2.0])) == ["one", "two"]


def test_guessed_times_are_trusted_less_than_words():
    left = [segment(("so", 7.0, 7.5), ("we", 8.0, 8.4), ("agree", 8.4, 9.0), ("then", 9.0, 9.6))]
    right = [segment(("agree", 9.9, 10.4), ("then", 10.4, 10.8), ("goodbye", 10.8, 11.4))]
    chunks = [
        RecognizedChunk(0, 10, left, times_estimated=True),
        RecognizedChunk(10, 20, right, times_estimated=True),
    ]
    assert texts(join(chunks, [2.0])) == ["so", "we", "agree", "then", "goodbye"]
