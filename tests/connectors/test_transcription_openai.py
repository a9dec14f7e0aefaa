"""The OpenAI connector against a server that behaves well, badly, or not at all; through the real client."""

from __future__ import annotations

import io
import math
import wave
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime

import numpy as np
import pytest

from speakr.connectors.transcription import make_connector
from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk, TranscriptionConnector
from speakr.domain.clock import now
from speakr.domain.errors import ConnectorRejected, ConnectorUnavailable
from speakr.domain.transcript import Hints, Hypothesis, Span
from speakr.settings import Settings
from tests.connectors.fake_provider import FakeProvider, Reply, error_reply, json_reply

START = 60.0
MakeSettings = Callable[..., Settings]


@pytest.fixture
def settings(provider: FakeProvider, settings_with: MakeSettings) -> Settings:
    return settings_with(transcription_base_url=provider.url, transcription_api_key="sk-secret")


@pytest.fixture
def connector(settings: Settings) -> TranscriptionConnector:
    return make_connector(settings)


def chunk() -> AudioChunk:
    """Return ten seconds of noise with speech from 1 to 4 and from 6 to 9."""
    samples = np.random.default_rng(7).integers(-900, 900, 10 * SAMPLE_RATE).astype(np.int16)
    return AudioChunk(samples, START, (Span(START + 1, START + 4), Span(START + 6, START + 9)))


def recognize(connector: TranscriptionConnector, hints: Hints | None = None) -> Hypothesis:
    return connector.transcribe(chunk(), hints or Hints(), lambda _: None)


def answered(connector: TranscriptionConnector, provider: FakeProvider, answer: object) -> Hypothesis:
    provider.answers(json_reply(answer))
    return recognize(connector)


# -- what is sent


def test_the_chunk_is_sent_as_wav_with_all_hints(connector: TranscriptionConnector, provider: FakeProvider):
    provider.answers(json_reply({"text": ""}))
    recognize(
        connector, Hints(language="de-AT", hotwords="Zaphod", initial_prompt="A talk.", model="large-v3")
    )

    (request,) = provider.requests
    assert request.path == "/v1/audio/transcriptions"
    assert request.headers["authorization"] == "Bearer sk-secret"
    form = request.form
    assert form["model"] == [b"large-v3"]
    assert form["language"] == [b"de"]
    assert form["prompt"] == [b"A talk.\nZaphod"]
    assert form["response_format"] == [b"verbose_json"]
    assert form["timestamp_granularities[]"] == [b"word", b"segment"]
    assert request.file_name("file") == "audio.wav"
    with wave.open(io.BytesIO(form["file"][0])) as wav:
        assert (wav.getframerate(), wav.getnchannels(), wav.getsampwidth()) == (SAMPLE_RATE, 1, 2)
        assert wav.readframes(wav.getnframes()) == chunk().samples.tobytes()


def test_each_family_is_asked_in_its_own_way(connector: TranscriptionConnector, provider: FakeProvider):
    provider.answers(json_reply({"text": "Hi.", "segments": []}))
    recognize(connector, Hints(model="gpt-4o-mini-transcribe", hotwords="Zaphod"))
    recognize(connector, Hints(model="gpt-4o-transcribe-diarize", hotwords="Zaphod"))

    json_form, diarized_form = (request.form for request in provider.requests)
    assert json_form["response_format"] == [b"json"]
    assert json_form["prompt"] == [b"Zaphod"]
    assert "timestamp_granularities[]" not in json_form
    assert diarized_form["response_format"] == [b"diarized_json"]
    assert diarized_form["chunking_strategy"] == [b"auto"]
    assert "prompt" not in diarized_form
    assert "timestamp_granularities[]" not in diarized_form


def test_hotwords_have_a_field_of_their_own_where_there_is_one(
    connector: TranscriptionConnector, provider: FakeProvider
):
    provider.answers(json_reply({"text": "Hi."}))
    recognize(connector, Hints(model="gpt-transcribe", hotwords="Zaphod, Trillian", initial_prompt="A talk."))
    recognize(connector, Hints(model="gpt-transcribe"))
    with_hints, untold = (request.form for request in provider.requests)
    assert with_hints["keywords[]"] == [b"Zaphod", b"Trillian"]
    assert with_hints["prompt"] == [b"A talk."]
    assert with_hints["response_format"] == [b"json"]
    assert not {"keywords[]", "prompt"} & set(untold)


def test_a_server_without_a_key_gets_no_key_of_ours(
    provider: FakeProvider, settings_with: MakeSettings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-program")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    provider.answers(json_reply({"text": "Hi."}))
    recognize(make_connector(settings_with(transcription_base_url=provider.url)))
    assert "sk-" not in provider.requests[0].headers["authorization"]


# -- what is answered


def test_words_beside_the_segments(connector: TranscriptionConnector, provider: FakeProvider):
    hypothesis = answered(
        connector,
        provider,
        {
            "text": "Good morning. Bye.",
            "language": "german",
            "segments": [
                {"start": 6.0, "end": 99.0, "text": " Bye.", "avg_logprob": -5.0},
                {"start": -1.0, "end": 4.0, "text": " Good morning.", "avg_logprob": -0.2},
                {"start": 9.0, "end": 9.5, "text": "  "},
            ],
            "words": [
                {"word": "Good", "start": 1.0, "end": 2.0},
                {"word": "morning", "start": 2.0, "end": 5.0},
                {"word": "Bye", "start": 6.5, "end": 7.0},
            ],
        },
    )
    first, second = hypothesis.segments
    assert hypothesis.language == "de"
    assert not hypothesis.times_estimated
    assert (first.start, first.end, first.text) == (START, START + 4.0, "Good morning.")
    assert (second.start, second.end, second.text) == (START + 6.0, START + 10.0, "Bye.")
    assert first.confidence == pytest.approx(math.exp(-0.2))
    assert second.confidence == pytest.approx(math.exp(-5.0))
    assert [(word.text, word.start, word.end) for word in first.words] == [
        ("Good", START + 1.0, START + 2.0),
        ("morning", START + 2.0, START + 4.0),
    ]
    assert [word.text for word in second.words] == ["Bye"]


def test_words_inside_the_segments_with_probabilities(
    connector: TranscriptionConnector, provider: FakeProvider
):
    hypothesis = answered(
        connector,
        provider,
        {
            "text": "Hello you 42",
            "language": "en",
            "segments": [
                {
                    "start": 1.0,
                    "end": 4.0,
                    "text": " Hello you 42",
                    "words": [
                        {"word": " Hello", "start": 1.0, "end": 3.0, "probability": 0.5},
                        {"word": " you", "start": 3.0, "end": 4.0, "score": 1.25},
                        {"word": "42"},
                    ],
                }
            ],
        },
    )
    (segment,) = hypothesis.segments
    assert [(word.text, word.probability) for word in segment.words] == [
        ("Hello", 0.5),
        ("you", 1.0),
        ("42", None),
    ]
    assert segment.confidence == pytest.approx((0.5 * 2 + 1.0) / 3)
    assert not hypothesis.times_estimated


def test_segments_without_words_get_estimated_ones(connector: TranscriptionConnector, provider: FakeProvider):
    hypothesis = answered(
        connector,
        provider,
        {"text": "One two. Six.", "segments": [{"start": 0.0, "end": 5.0, "text": "One two."}]},
    )
    (segment,) = hypothesis.segments
    assert hypothesis.times_estimated
    assert segment.confidence is None
    one, two = segment.words
    assert one.start == pytest.approx(START + 1.0)  # where the speech begins, not the segment
    assert two.end == pytest.approx(START + 4.0)


def test_words_without_segments_take_the_punctuation_of_the_text(
    connector: TranscriptionConnector, provider: FakeProvider
):
    words = [
        {"word": word, "start": start, "end": start + 0.5}
        for word, start in (("Hi", 1.0), ("there", 1.5), ("How", 2.0), ("so", 6.0))
    ]
    hypothesis = answered(connector, provider, {"text": "Hi, there. How so?", "words": words})
    assert [segment.text for segment in hypothesis.segments] == ["Hi, there.", "How", "so?"]
    assert not hypothesis.times_estimated


@pytest.mark.parametrize("model", ["whisper-1", "gpt-4o-transcribe"])
def test_bare_text_is_spread_over_the_speech(
    connector: TranscriptionConnector, provider: FakeProvider, model: str
):
    provider.answers(json_reply({"text": " Good morning. How are you today? "}))
    hypothesis = recognize(connector, Hints(model=model, language="en"))
    assert hypothesis.times_estimated
    assert hypothesis.language == "en"
    assert [segment.text for segment in hypothesis.segments] == ["Good morning.", "How are you today?"]
    assert hypothesis.segments[0].start == pytest.approx(START + 1.0)
    assert hypothesis.segments[-1].end == pytest.approx(START + 9.0)
    for segment in hypothesis.segments:
        for word in segment.words:
            assert any(span.start <= word.start <= word.end <= span.end for span in chunk().spans)


def test_speakers_are_labelled_in_the_order_they_speak(
    connector: TranscriptionConnector, provider: FakeProvider
):
    answer = {
        "task": "transcribe",
        "duration": 10.0,
        "text": "Hi. Hello. Well.",
        "segments": [
            {"id": "3", "start": 7.0, "end": 8.0, "text": "Well.", "speaker": "agent"},
            {"id": "2", "start": 3.0, "end": 4.0, "text": "Hello.", "speaker": "A"},
            {"id": "1", "start": 1.0, "end": 2.0, "text": "Hi.", "speaker": "agent"},
        ],
    }
    provider.answers(json_reply(answer))
    hypothesis = recognize(connector, Hints(model="gpt-4o-transcribe-diarize"))
    assert [(segment.text, segment.speaker) for segment in hypothesis.segments] == [
        ("Hi.", "SPEAKER_00"),
        ("Hello.", "SPEAKER_01"),
        ("Well.", "SPEAKER_00"),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        {"text": ""},
        {"text": "  \n", "segments": None, "words": None},
        {"text": "", "segments": [{"start": 0, "end": 30, "text": ""}]},
    ],
)
def test_empty_text_gives_no_segment(
    connector: TranscriptionConnector, provider: FakeProvider, answer: object
):
    assert answered(connector, provider, answer).segments == ()


def test_times_that_are_no_numbers_are_not_believed(
    connector: TranscriptionConnector, provider: FakeProvider
):
    body = b'{"text": "Good morning.", "segments": [{"start": NaN, "end": "2", "text": "Good morning."}]}'
    provider.answers(Reply(200, body, {"Content-Type": "application/json"}))
    hypothesis = recognize(connector)
    assert hypothesis.times_estimated
    assert [segment.text for segment in hypothesis.segments] == ["Good morning."]


def test_the_languages_of_newer_models_are_read(connector: TranscriptionConnector, provider: FakeProvider):
    answer = {"text": "Bonjour.", "languages": [{"code": "fr"}, {"code": "en"}]}
    assert answered(connector, provider, answer).language == "fr"
    assert answered(connector, provider, {"text": "Bonjour.", "language": "Klingon"}).language is None


# -- what goes wrong


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 415, 422])
def test_refusals_are_final(connector: TranscriptionConnector, provider: FakeProvider, status: int):
    provider.answers(error_reply(status))
    with pytest.raises(ConnectorRejected) as raised:
        recognize(connector)
    assert str(status) in raised.value.message
    assert "sk-" not in raised.value.message
    assert "/srv" not in raised.value.message
    assert len(provider.requests) == 1


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 529])
def test_passing_troubles_may_be_tried_again_by_the_job(
    connector: TranscriptionConnector, provider: FakeProvider, status: int
):
    provider.answers(error_reply(status))
    with pytest.raises(ConnectorUnavailable) as raised:
        recognize(connector)
    assert raised.value.retry_after_seconds is None
    assert "sk-" not in raised.value.message
    assert len(provider.requests) == 1


def test_retry_after_is_passed_on(connector: TranscriptionConnector, provider: FakeProvider):
    for header, expected in (
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        (format_datetime(now() + timedelta(seconds=90), usegmt=True), pytest.approx(89, abs=2)),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0.0),
        ("soon", None),
        ("inf", None),
    ):
        provider.answers(error_reply(429, {"Retry-After": header}))
        with pytest.raises(ConnectorUnavailable) as raised:
            recognize(connector)
        assert raised.value.retry_after_seconds == expected, header


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"{not json", {"Content-Type": "application/json"}),
        Reply(200, b"<html>Bad gateway</html>", {"Content-Type": "text/html"}),
        Reply(200, b"\xff\xfe\x00", {"Content-Type": "application/json"}),
        Reply(200, b"", {}),
        json_reply([1, 2]),
        json_reply({"error": {"message": "sk-secret"}}),
        json_reply({"text": None}),
        Reply(reset=True),
        Reply(200, b'{"text": "Hi', {"Content-Type": "application/json"}, cut_short=True),
    ],
    ids=["garbage", "html", "not text", "empty", "list", "error in 200", "null", "reset", "cut short"],
)
def test_broken_answers_may_be_tried_again(
    connector: TranscriptionConnector, provider: FakeProvider, reply: Reply
):
    provider.answers(reply)
    with pytest.raises(ConnectorUnavailable) as raised:
        recognize(connector)
    assert "sk-" not in raised.value.message


def test_a_provider_that_hangs_is_left(provider: FakeProvider, settings_with: MakeSettings):
    provider.answers(Reply(hang=True))
    connector = make_connector(
        settings_with(transcription_base_url=provider.url, transcription_timeout_seconds=0.2)
    )
    with pytest.raises(ConnectorUnavailable, match="in time"):
        recognize(connector)


def test_a_provider_that_is_not_there(settings_with: MakeSettings, unused_port: int):
    connector = make_connector(settings_with(transcription_base_url=f"http://127.0.0.1:{unused_port}/v1"))
    with pytest.raises(ConnectorUnavailable, match="reached"):
        recognize(connector)


@pytest.mark.parametrize(
    "fields",
    [
        {"transcription_base_url": "whisper:8000/v1"},
        {"transcription_base_url": "http://[broken"},
        {"transcription_base_url": "ftp://127.0.0.1/v1"},
        {"transcription_api_key": "schlüssel"},
        {"transcription_api_key": "two\nlines"},
    ],
)
def test_unusable_configuration_is_refused_with_a_sentence(
    settings_with: MakeSettings, fields: dict[str, str]
):
    with pytest.raises(ConnectorRejected) as raised:
        recognize(make_connector(settings_with(**fields)))
    assert raised.value.message.endswith(".")
    assert not any(value in raised.value.message for value in fields.values())


def test_the_connector_goes_on_after_trouble(connector: TranscriptionConnector, provider: FakeProvider):
    replies = [error_reply(503), Reply(reset=True), json_reply({"text": "Here again."})]
    provider.answer = lambda _: replies.pop(0)
    for _ in range(2):
        with pytest.raises(ConnectorUnavailable):
            recognize(connector)
    assert recognize(connector).segments[0].text == "Here again."


def test_the_key_is_not_in_what_is_printed(connector: TranscriptionConnector):
    assert "sk-secret" not in repr(vars(connector))
