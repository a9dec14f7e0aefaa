"""What every transcription engine in the registry must keep to."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote_plus

import numpy as np
import pytest

from speakr.connectors import transcription
from speakr.connectors.transcription import CONNECTORS, make_connector
from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk, TranscriptionConnector
from speakr.connectors.transcription.options import ignored_options
from speakr.connectors.transcription.whisper import WhisperConnector
from speakr.domain.errors import ConnectorRejected, JobCancelled
from speakr.domain.transcript import Hints, Segment, Span
from speakr.settings import Settings
from tests.connectors.conftest import MakeChunk
from tests.connectors.fake_provider import FakeProvider, Reply, Request, json_reply
from tests.connectors.tiny_whisper import TINY_BEAM

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
    if request.param == "whisper":
        models = request.getfixturevalue("whisper_models")
        return WhisperConnector(models, models=["parrot"], beam_size=TINY_BEAM)
    provider.answer = answer_all
    return make_connector(
        settings_with(
            transcription_connector=request.param,
            transcription_base_url=provider.url,
            transcription_api_key="k",
        )
    )


def answer_all(request: Request) -> Reply:
    """Answer as each of the services does, which differ in their addresses."""
    if request.path.endswith("/upload"):
        return json_reply({"upload_url": "https://cdn.example/audio"})
    if "/v2/transcript" in request.path:
        in_milliseconds = [
            {**word, "text": word["word"], "start": word["start"] * 1000, "end": word["end"] * 1000}
            for word in VERBOSE_ANSWER["words"]
        ]
        utterances = [
            {
                "speaker": speaker,
                "text": text,
                "start": words[0]["start"],
                "end": words[-1]["end"],
                "words": words,
            }
            for speaker, text, words in (
                ("A", "Ten of clubs.", in_milliseconds[:3]),
                ("B", "Seven of clubs.", in_milliseconds[3:]),
            )
        ]
        return json_reply(
            {
                "id": "t-1",
                "status": "completed",
                "language_code": "en_us",
                "utterances": utterances,
                "text": "Ten of",
            }
        )
    return json_reply(VERBOSE_ANSWER)


def says_two_things(connector: TranscriptionConnector) -> bool:
    """Return whether the engine transcribes the clips; the tiny Whisper always returns the same sentence."""
    return connector.name != "whisper"


@pytest.fixture
def chunk(make_chunk: MakeChunk) -> AudioChunk:
    return make_chunk("cards_001", "cards_003", start=START)


def test_it_says_what_it_is(connector: TranscriptionConnector):
    assert connector.name in CONNECTORS
    capabilities = connector.capabilities
    assert 0 < capabilities.target_chunk_seconds <= capabilities.max_chunk_seconds
    assert connector.default_model is None or connector.default_model in connector.models


def test_segments_and_words_are_ordered_and_inside(connector: TranscriptionConnector, chunk: AudioChunk):
    hypothesis = connector.transcribe(chunk, Hints(), lambda _: None)

    assert len(hypothesis.segments) == (2 if says_two_things(connector) else 1)
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
    if not says_two_things(connector):
        return
    first, second = hypothesis.segments
    assert first.end < chunk.spans[1].start - 0.5
    assert second.start > chunk.spans[0].end + 0.5


def test_it_is_deterministic_after_any_other_audio(connector: TranscriptionConnector, chunk: AudioChunk):
    once = connector.transcribe(chunk, Hints(), lambda _: None)
    again = connector.transcribe(chunk, Hints(), lambda _: None)
    assert once == again


def test_it_reports_each_segment_in_order(connector: TranscriptionConnector, chunk: AudioChunk):
    streamed: list[Segment] = []
    hypothesis = connector.transcribe(chunk, Hints(), streamed.append)
    assert streamed == list(hypothesis.segments)


@pytest.mark.parametrize("error", [JobCancelled("The user asked to stop."), ZeroDivisionError("a bug")])
def test_what_the_listener_raises_comes_through(
    connector: TranscriptionConnector, chunk: AudioChunk, error: Exception
):
    streamed: list[Segment] = []

    def stop(segment: Segment) -> None:
        streamed.append(segment)
        raise error

    with pytest.raises(type(error)) as raised:
        connector.transcribe(chunk, Hints(), stop)

    assert raised.value is error
    assert len(streamed) == 1
    assert connector.transcribe(chunk, Hints(), lambda _: None).segments


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
    assert connector.transcribe(chunk, hints, lambda _: None).segments


OPTIONS = {
    "initial_prompt": Hints(initial_prompt="Zaphod met Trillian."),
    "hotwords": Hints(hotwords="Zaphod, Trillian"),
    "min_speakers": Hints(min_speakers=31),
    "max_speakers": Hints(max_speakers=37),
    "language": Hints(language="de"),
}
TRACES = {
    "initial_prompt": "Zaphod met Trillian.",
    "hotwords": "Zaphod",
    "min_speakers": "31",
    "max_speakers": "37",
    "language": "de",
}


@pytest.mark.parametrize("option", sorted(OPTIONS))
def test_supported_options_reach_the_engine_and_others_are_reported(
    connector: TranscriptionConnector,
    provider: FakeProvider,
    make_chunk: MakeChunk,
    option: str,
    monkeypatch: pytest.MonkeyPatch,
):
    """One probe for all: an option reaches the engine, or it is reported as ignored."""
    passed_on: list[str] = []
    chunk = make_chunk("goforward")
    if connector.name == "whisper":
        model = connector._load("parrot", chunk)._model
        real = model.transcribe
        monkeypatch.setattr(
            model,
            "transcribe",
            lambda samples, **given: passed_on.append(str(given)) or real(samples, **given),
        )
    if connector.name == "embedded":
        recogniser = connector._load()
        known = recogniser.recognise
        monkeypatch.setattr(
            recogniser,
            "recognise",
            lambda samples, hotwords: passed_on.append(str(hotwords)) or known(samples, hotwords),
        )
    try:
        connector.transcribe(chunk, OPTIONS[option], lambda _: None)
    except ConnectorRejected:
        assert (connector.name, option) == ("embedded", "language")  # it would make up English
    for request in provider.requests:
        fields = request.path if "multipart" in request.headers.get("content-type", "") else ""
        if fields:
            fields = unquote_plus(fields) + str({k: v for k, v in request.form.items() if len(v[0]) < 1000})
        passed_on.append(fields or (request.body.decode() if request.body.startswith(b"{") else ""))
    reached = any(
        re.search(rf"(?<![\w]){re.escape(TRACES[option])}(?![\w])", sent, re.IGNORECASE) for sent in passed_on
    )
    assert reached == (option not in ignored_options(connector, OPTIONS[option]))


def test_a_capability_is_what_it_says(connector: TranscriptionConnector, chunk: AudioChunk):
    capable = connector.capabilities
    other = connector.transcribe(chunk, Hints(), lambda _: None)
    assert capable.timestamps == (not other.times_estimated)
    speakers = {segment.speaker for segment in other.segments}
    assert capable.diarization or len(speakers) == 1
    assert capable.languages is None or other.language in capable.languages


def test_registered_names_resolve_to_connectors_of_that_name(settings_with: Callable[..., Settings]):
    for name in transcription.CONNECTORS:
        assert make_connector(settings_with(transcription_connector=name)).name == name
