"""Implausible text is transcribed again, and the better result is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk, OnSegment
from speakr.domain.errors import ClaimLost, ConnectorUnavailable
from speakr.domain.transcript import Hints, Hypothesis, Segment, Span
from speakr.jobs.retry_doubtful import improve
from tests.fakes import FakeTranscriber

CHUNK = AudioChunk(
    np.zeros(30 * 16_000, dtype=np.int16), 100.0, (Span(100, 105), Span(107, 112), Span(120, 129))
)
GOOD = Segment(100, 105, "We begin with the budget.", confidence=0.9)
LOOP = Segment(107, 112, "thank you " * 6, confidence=0.9)
HINTS = Hints(initial_prompt="thank you", language="en")


class FakeEngine(FakeTranscriber):
    def __init__(self, answer: Callable[[AudioChunk], list[Segment]]) -> None:
        super().__init__()
        self.answer = answer

    def transcribe(self, chunk: AudioChunk, hints: Hints, on_segment: OnSegment) -> Hypothesis:
        self.chunks.append(chunk)
        self.hints.append(hints)
        segments = self.answer(chunk)
        for segment in segments:
            on_segment(segment)
        return Hypothesis(segments, language="en")


def retried(
    segments: list[Segment], engine: FakeEngine, heartbeat: Callable[[], None] = lambda: None
) -> list[str]:
    return [s.text for s in improve(Hypothesis(segments), CHUNK, engine, HINTS, heartbeat).segments]


def test_a_loop_is_transcribed_again_without_the_prompt() -> None:
    engine = FakeEngine(lambda _: [Segment(107, 112, "It is due on Friday.", confidence=0.8)])
    assert retried([GOOD, LOOP], engine) == [GOOD.text, "It is due on Friday."]
    (chunk,), (hints,) = engine.chunks, engine.hints
    assert (chunk.start, chunk.spans) == (106.8, (Span(107, 112),))
    assert len(chunk.samples) == round(5.4 * 16_000)
    assert (hints.initial_prompt, hints.language) == (None, "en")


def test_plausible_text_is_transcribed_once() -> None:
    engine = FakeEngine(lambda _: [])
    assert retried([GOOD], engine) == [GOOD.text]
    assert engine.chunks == []


def test_the_first_hearing_stays_if_the_second_is_no_better() -> None:
    engine = FakeEngine(lambda _: [Segment(107, 112, "so " * 9, confidence=0.3)])
    assert retried([GOOD, LOOP], engine) == [GOOD.text, LOOP.text]


def test_text_over_silence_is_removed_if_the_second_result_is_empty() -> None:
    made_up = Segment(115, 118, "Thanks for watching.")
    engine = FakeEngine(lambda _: [])
    assert retried([GOOD, made_up], engine) == [GOOD.text]
    assert engine.chunks[0].spans == (Span(114.8, 118.2),)


def test_a_failing_second_hearing_costs_nothing() -> None:
    def fail(_: AudioChunk) -> list[Segment]:
        raise ConnectorUnavailable("The engine is away.")

    assert retried([GOOD, LOOP], FakeEngine(fail)) == [GOOD.text, LOOP.text]


def test_work_that_is_not_wanted_any_more_stops() -> None:
    def stop() -> None:
        raise ClaimLost("gone")

    engine = FakeEngine(lambda _: [Segment(107, 112, "It is due.")])
    with pytest.raises(ClaimLost):
        retried([GOOD, LOOP], engine, stop)


# -- an empty second answer


def test_an_empty_second_answer_deletes_no_speech() -> None:
    assert retried([GOOD, LOOP], FakeEngine(lambda _: [])) == [GOOD.text, LOOP.text]
    blank = FakeEngine(lambda _: [Segment(107, 112, " ")])
    assert retried([GOOD, LOOP], blank) == [GOOD.text, LOOP.text]


def test_an_empty_second_answer_deletes_no_speech_beside_invented_text() -> None:
    said = Segment(119.5, 129, "And that is all for today.", confidence=0.9)
    invented = Segment(114, 120, "Thanks for watching.", confidence=0.9)  # it touches the speech
    engine = FakeEngine(lambda _: [])
    assert retried([invented, said], engine) == [invented.text, said.text]
    assert engine.chunks[0].spans == (Span(120, 129),)


# -- what of the chunk is transcribed again


def test_a_segment_over_a_pause_is_transcribed_again_whole() -> None:
    before = Segment(100, 109, "We begin with the budget and then", confidence=0.9)
    loop = Segment(109, 112, "thank you " * 6, confidence=0.9)
    both = Segment(100, 112, "We begin with the budget and then it is due.", confidence=0.9)
    engine = FakeEngine(lambda _: [both])
    assert retried([before, loop], engine) == [both.text]
    (chunk,) = engine.chunks
    assert (chunk.start, chunk.spans) == (100.0, (Span(100, 105), Span(107, 112)))


def test_the_pad_takes_nothing_of_a_neighbour() -> None:
    near = AudioChunk(CHUNK.samples, 100.0, (Span(100, 106.9), Span(107, 112), Span(112.1, 129)))
    engine = FakeEngine(lambda _: [Segment(107, 112, "It is due on Friday.", confidence=0.8)])
    said = [
        replace(GOOD, end=106.9),
        LOOP,
        Segment(112.1, 129, "Then we went home and slept.", confidence=0.9),
    ]
    found = improve(Hypothesis(said), near, engine, HINTS, lambda: None)
    assert [each.text for each in found.segments] == [GOOD.text, "It is due on Friday.", said[2].text]
    (chunk,) = engine.chunks
    assert (chunk.start, len(chunk.samples)) == (106.9, round(5.2 * SAMPLE_RATE))


def test_speech_that_was_cut_is_transcribed_again_whole() -> None:
    cut = AudioChunk(CHUNK.samples, 100.0, (Span(100, 107), Span(107, 112), Span(120, 129)))
    engine = FakeEngine(lambda _: [])
    improve(Hypothesis([replace(GOOD, end=107), LOOP]), cut, engine, HINTS, lambda: None)
    assert engine.chunks[0].spans == (Span(100, 107), Span(107, 112))


def test_with_estimated_times_the_whole_chunk_is_transcribed_again() -> None:
    whole = [Segment(100, 129, "All of it, without a loop.", confidence=0.5)]
    engine = FakeEngine(lambda _: whole)
    found = improve(Hypothesis([GOOD, LOOP], times_estimated=True), CHUNK, engine, HINTS, lambda: None)
    assert list(found.segments) == whole
    assert engine.chunks[0].spans == CHUNK.spans
    assert not found.times_estimated


def test_no_word_is_doubled_or_lost_wherever_segments_end() -> None:
    """An engine that is right the second time writes each second once, whatever the first segments were."""
    rng = np.random.default_rng(7)
    for _ in range(50):
        edges = [100.0, *np.sort(rng.uniform(100, 129, 5)).round(2).tolist(), 129.0]
        segments = [
            Segment(start, end, f"from {start} to {end}", confidence=0.9) for start, end in pairwise(edges)
        ]
        at = int(rng.integers(len(segments)))
        segments[at] = replace(segments[at], text="thank you " * 6)
        engine = FakeEngine(
            lambda chunk: [Segment(s.start, s.end, "right", confidence=1.0) for s in chunk.spans]
        )
        found = improve(Hypothesis(segments), CHUNK, engine, HINTS, lambda: None).segments
        assert all(left.end <= right.start for left, right in pairwise(found))
        for span in CHUNK.spans:
            assert sum(_shared(segment, span) for segment in found) == pytest.approx(span.duration)


def _shared(segment: Segment, span: Span) -> float:
    return max(0.0, min(segment.end, span.end) - max(segment.start, span.start))


# -- the language


def test_the_second_transcription_is_given_the_language_of_the_chunk() -> None:
    engine = FakeEngine(lambda _: [])
    improve(Hypothesis([GOOD, LOOP], language="de"), CHUNK, engine, Hints(), lambda: None)
    improve(Hypothesis([GOOD, LOOP], language="und"), CHUNK, engine, Hints(), lambda: None)
    engine.capabilities = replace(engine.capabilities, languages=frozenset({"en"}))
    improve(Hypothesis([GOOD, LOOP], language="de"), CHUNK, engine, Hints(), lambda: None)
    assert [hints.language for hints in engine.hints] == ["de", None, None]


def test_text_in_another_language_is_not_forced_into_the_language_of_the_chunk() -> None:
    english = [
        Segment(100 + 1.6 * at, 101.5 + 1.6 * at, "This is what we have to do for you.") for at in range(3)
    ]
    foreign = Segment(107, 112, "Das ist nicht das, was wir von dem haben und wenn.")
    engine = FakeEngine(lambda _: [])
    improve(Hypothesis([*english, foreign], language="en"), CHUNK, engine, Hints(), lambda: None)
    assert [hints.language for hints in engine.hints] == [None]


def test_the_language_of_a_second_transcription_that_is_kept_counts() -> None:
    engine = FakeEngine(lambda _: [Segment(107, 112, "It is due on Friday.", confidence=0.8)])
    first = Hypothesis([LOOP], language="und", language_probability=0.3)
    found = improve(first, CHUNK, engine, Hints(), lambda: None)
    assert (found.language, found.language_probability) == ("en", None)
