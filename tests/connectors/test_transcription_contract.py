"""What every transcription engine in the registry must keep to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from speakr.connectors import transcription
from speakr.connectors.transcription import CONNECTORS, make_connector
from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk, TranscriptionConnector
from speakr.domain.errors import JobCancelled
from speakr.domain.transcript import Hints, Segment, Span
from speakr.settings import Settings
from tests.connectors.conftest import MakeChunk
from tests.connectors.fake_provider import FakeProvider, json_reply

START = 1000.25

VERBOSE_ANSWER = {
    "text": "Ten of clubs. Seven of clubs.",
    "language": "english",
    "duration": 4.633,
    "segments": [
        {"start": 2.2, "end": 3.5, "text": " Seven of clubs.", "avg_logprob": -0.1},
        {"start": 0.1, "end": 1.0, "text": " Ten of clubs.", "avg_logprob": -0.3},
    ],
    "words": [
        {"word": "Ten", "start": 0.1, "end": 0.4},
        {"word": "of", "start": 0.4, "end": 0.5},
        {"word": "clubs", "start": 0.5, "end": 1.0},
        {"word": "Seven", "start": 2.2, "end": 2.7},
        {"word": "of", "start": 2.7, "end": 2.9},
        {"word": "clubs", "start": 2.9, "end": 3.5},
    ],
}


@pytest.fixture(params=sorted(CONNECTORS))
def connector(
    request: pytest.FixtureRequest, provider: FakeProvider, settings_with: Callable[..., Settings]
) -> TranscriptionConnector:
    if request.param == "embedded":
        return request.getfixturevalue("embedded")
    provider.answers(json_reply(VERBOSE_ANSWER))
    return make_connector(
        settings_with(transcription_connector=request.param, transcription_base_url=provider.url)
    )


@pytest.fixture(scope="session")
def chunk(make_chunk: MakeChunk) -> AudioChunk:
    return make_chunk("cards_001", "cards_003", start=START)


def test_it_says_what_it_is(connector: TranscriptionConnector):
    assert connector.name in CONNECTORS
    capabilities = connector.capabilities
    assert 0 < capabilities.target_chunk_seconds <= capabilities.max_chunk_seconds
    assert connector.default_model is None or connector.default_model in connector.models


def test_segments_and_words_are_ordered_and_inside(connector: TranscriptionConnector, chunk: AudioChunk):
    hypothesis = connector.transcribe(chunk, Hints(), lambda _: None)

    assert len(hypothesis.segments) == 2
    assert hypothesis.language == "en"
    earliest, latest = START, START + len(chunk.samples) / SAMPLE_RATE
    for segment in hypothesis.segments:
        assert segment.text == segment.text.strip() != ""
        assert earliest <= segment.start <= segment.end <= latest
        assert segment.confidence is None or 0.0 <= segment.confidence <= 1.0
        earliest = segment.start
        assert segment.words
        word_start = segment.start
        for word in segment.words:
            assert word.text == word.text.strip() != ""
            assert word_start <= word.start <= word.end <= segment.end
            assert word.probability is None or 0.0 <= word.probability <= 1.0
            word_start = word.start
    first, second = hypothesis.segments
    assert first.end < chunk.spans[1].start - 0.5
    assert second.start > chunk.spans[0].end + 0.5


def test_it_is_deterministic_whatever_it_heard_before(connector: TranscriptionConnector, chunk: AudioChunk):
    once = connector.transcribe(chunk, Hints(), lambda _: None)
    again = connector.transcribe(chunk, Hints(), lambda _: None)
    assert once == again


def test_it_tells_each_segment_in_order(connector: TranscriptionConnector, chunk: AudioChunk):
    told: list[Segment] = []
    hypothesis = connector.transcribe(chunk, Hints(), told.append)
    assert told == list(hypothesis.segments)


@pytest.mark.parametrize("error", [JobCancelled("The user asked to stop."), ZeroDivisionError("a bug")])
def test_what_the_listener_raises_comes_through(
    connector: TranscriptionConnector, chunk: AudioChunk, error: Exception
):
    told: list[Segment] = []

    def stop(segment: Segment) -> None:
        told.append(segment)
        raise error

    with pytest.raises(type(error)) as raised:
        connector.transcribe(chunk, Hints(), stop)

    assert raised.value is error
    assert len(told) == 1
    assert len(connector.transcribe(chunk, Hints(), lambda _: None).segments) == 2


@pytest.mark.parametrize(
    "silent",
    [
        AudioChunk(np.zeros(SAMPLE_RATE, dtype=np.int16), 0.0, ()),
        AudioChunk(np.zeros(0, dtype=np.int16), 0.0, (Span(0.0, 0.0),)),
    ],
    ids=["no speech", "no samples"],
)
def test_nothing_said_gives_nothing(
    connector: TranscriptionConnector, provider: FakeProvider, silent: AudioChunk
):
    assert not connector.transcribe(silent, Hints(), lambda _: None).segments
    assert provider.requests == []


def test_hints_it_cannot_honour_are_no_error(connector: TranscriptionConnector, chunk: AudioChunk):
    hints = Hints(language="en-GB", min_speakers=2, max_speakers=3, hotwords="clubs", initial_prompt="Cards.")
    assert len(connector.transcribe(chunk, hints, lambda _: None).segments) == 2


def test_registered_names_resolve_to_connectors_of_that_name(settings_with: Callable[..., Settings]):
    for name in transcription.CONNECTORS:
        assert make_connector(settings_with(transcription_connector=name)).name == name
