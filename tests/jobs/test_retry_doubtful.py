"""Implausible text is transcribed again, and the better result is stored."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from speakr.connectors.transcription.base import AudioChunk, OnSegment
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
