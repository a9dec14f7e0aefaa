"""An asynchronous provider: what is sent, how long it is waited for, and what a second try does not send again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from speakr.connectors.transcription import assemblyai
from speakr.connectors.transcription.assemblyai import AssemblyAIConnector
from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk, ChunkContext
from speakr.connectors.transcription.http import Service
from speakr.domain.errors import ClaimLost, ConnectorBusy, ConnectorRejected, ConnectorUnavailable
from speakr.domain.transcript import Hints, Span
from tests.connectors.fake_provider import FakeProvider, Reply, Request, json_reply

START = 50.0
DONE = {
    "id": "t-1",
    "status": "completed",
    "text": "Good morning. Hello.",
    "language_code": "de",
    "utterances": [
        {
            "speaker": "A",
            "start": 1000,
            "end": 2000,
            "confidence": 0.9,
            "text": "Good morning.",
            "words": [
                {"text": "Good", "start": 1000, "end": 1400, "confidence": 0.8},
                {"text": "morning.", "start": 1400, "end": 2000, "confidence": 0.6},
            ],
        },
        {"speaker": "B", "start": 3000, "end": 3500, "text": "Hello.", "words": []},
    ],
    "words": [],
}


class Provider:
    """Answers by address and counts; `answers` may be changed by a test."""

    def __init__(self, fake: FakeProvider) -> None:
        self.fake = fake
        self.polls = [json_reply({"id": "t-1", "status": "processing"}), json_reply(DONE)]
        self.upload = json_reply({"upload_url": "https://cdn.example/1"})
        self.order = json_reply({"id": "t-1", "status": "queued"})
        fake.answer = self.answer

    def answer(self, request: Request) -> Reply:
        if request.path.endswith("/upload"):
            return self.upload
        if request.path.endswith("/transcript"):
            return self.order
        return self.polls.pop(0) if len(self.polls) > 1 else self.polls[0]

    def count(self, ending: str) -> int:
        return sum(request.path.endswith(ending) for request in self.fake.requests)


@pytest.fixture
def remote(provider: FakeProvider) -> Provider:
    return Provider(provider)


@pytest.fixture
def connector(provider: FakeProvider) -> AssemblyAIConnector:
    service = Service("The provider", provider.url.removesuffix("/v1"), {"Authorization": "key"}, 5.0)
    return AssemblyAIConnector(service, first_pause_seconds=0.01)


def chunk(context: ChunkContext | None = None) -> AudioChunk:
    samples = np.random.default_rng(7).integers(-900, 900, 5 * SAMPLE_RATE).astype(np.int16)
    return AudioChunk(samples, START, (Span(START, START + 5),), context or ChunkContext())


def recognize(
    connector: AssemblyAIConnector, hints: Hints | None = None, context: ChunkContext | None = None
):
    return connector.transcribe(chunk(context), hints or Hints(), lambda _: None)


def test_upload_order_and_wait(connector: AssemblyAIConnector, remote: Provider):
    hypothesis = recognize(connector)
    first, second = hypothesis.segments
    assert (first.text, first.speaker, first.start, first.end) == (
        "Good morning.",
        "SPEAKER_00",
        START + 1,
        START + 2,
    )
    assert [word.probability for word in first.words] == [0.8, 0.6]
    assert (second.speaker, second.text, second.start) == ("SPEAKER_01", "Hello.", START + 3)
    assert hypothesis.language == "de"
    upload, order, *polls = remote.fake.requests
    assert upload.headers["authorization"] == "key"
    assert upload.body.startswith(b"RIFF")
    assert order.json == {
        "audio_url": "https://cdn.example/1",
        "speech_models": ["universal-2"],
        "speaker_labels": True,
        "language_detection": True,
    }
    assert len(polls) == 2


def test_each_option_has_its_parameter(connector: AssemblyAIConnector, remote: Provider):
    hints = Hints(
        language="de-AT",
        min_speakers=2,
        max_speakers=4,
        hotwords="Zaphod Beeblebrox, Trillian;\nFord",
        initial_prompt="A talk.",
        model="universal-3-pro",
    )
    recognize(connector, hints)
    assert remote.fake.requests[1].json == {
        "audio_url": "https://cdn.example/1",
        "speech_models": ["universal-3-pro"],
        "speaker_labels": True,
        "language_code": "de",
        "speaker_options": {"min_speakers_expected": 2, "max_speakers_expected": 4},
        "keyterms_prompt": ["Zaphod Beeblebrox", "Trillian", "Ford"],
        "prompt": "A talk.",
    }
    recognize(connector, Hints(initial_prompt="A talk."))
    assert "prompt" not in remote.fake.requests[-2].json
    assert not connector.capabilities_with(None).initial_prompt
    assert connector.capabilities_with("universal-3-pro").initial_prompt


class CancelledContext(ChunkContext):
    """Loses its worker at the n-th breath."""

    def __init__(self, breaths: int) -> None:
        self.breaths = breaths

    def heartbeat(self) -> None:
        self.breaths -= 1
        if self.breaths < 0:
            raise ClaimLost("Another worker has it.")


def test_the_next_owner_requests_the_same_transcript(connector: AssemblyAIConnector, remote: Provider):
    remote.polls = [json_reply({"id": "t-1", "status": "processing"})]
    context = CancelledContext(3)
    with pytest.raises(ClaimLost):
        recognize(connector, context=context)
    assert context.note == {"transcript": "t-1"}
    remote.polls = [json_reply(DONE)]
    heir = ChunkContext()
    heir.note = context.note
    assert len(recognize(connector, context=heir).segments) == 2
    assert (remote.count("/upload"), remote.count("/transcript")) == (1, 1)


def test_an_upload_is_not_repeated_when_ordering_fails_for_a_moment(
    connector: AssemblyAIConnector, remote: Provider
):
    order, remote.order = remote.order, Reply(503)
    context = ChunkContext()
    with pytest.raises(ConnectorUnavailable):
        recognize(connector, context=context)
    remote.order = order
    assert len(recognize(connector, context=context).segments) == 2
    assert remote.count("/upload") == 1


def test_a_transcript_that_the_provider_has_forgotten_is_ordered_anew(
    connector: AssemblyAIConnector, remote: Provider
):
    context = ChunkContext()
    context.note = {"transcript": "gone"}
    remote.polls = [Reply(404), json_reply(DONE)]
    assert len(recognize(connector, context=context).segments) == 2
    assert remote.count("/upload") == 1


def test_a_poll_that_fails_keeps_the_order(connector: AssemblyAIConnector, remote: Provider):
    remote.polls = [Reply(500)]
    context = ChunkContext()
    with pytest.raises(ConnectorUnavailable):
        recognize(connector, context=context)
    assert context.note == {"transcript": "t-1"}
    remote.polls = [Reply(429, headers={"Retry-After": "7"})]
    with pytest.raises(ConnectorBusy) as raised:
        recognize(connector, context=context)
    assert raised.value.retry_after_seconds == 7.0


def test_a_transcript_that_failed_there_is_given_up(connector: AssemblyAIConnector, remote: Provider):
    remote.polls = [json_reply({"id": "t-1", "status": "error", "error": "cannot read /srv/x: sk-secret"})]
    context = ChunkContext()
    with pytest.raises(ConnectorUnavailable) as raised:
        recognize(connector, context=context)
    assert "secret" not in raised.value.message
    assert context.note is None


def test_silence_is_no_failure(connector: AssemblyAIConnector, remote: Provider):
    error = "language_detection cannot be performed on files with no spoken audio."
    remote.polls = [json_reply({"id": "t-1", "status": "error", "error": error})]
    assert recognize(connector).segments == ()


@pytest.mark.parametrize(
    "nonsense",
    [
        json_reply({}),
        json_reply([]),
        json_reply({"id": 3, "upload_url": 4, "status": "processing"}),
        json_reply({"id": "", "upload_url": ""}),
        Reply(200, b"<html>"),
    ],
)
def test_invalid_responses_are_distinguished_by_type(
    connector: AssemblyAIConnector, remote: Provider, nonsense: Reply
):
    for name in ("upload", "order"):
        fresh = Provider(remote.fake)
        setattr(fresh, name, nonsense)
        with pytest.raises(ConnectorUnavailable):
            recognize(connector)


@pytest.mark.parametrize("nonsense", [json_reply({}), json_reply([]), json_reply({"id": "t-1", "status": 5})])
def test_nonsense_instead_of_news(connector: AssemblyAIConnector, remote: Provider, nonsense: Reply):
    remote.polls = [nonsense]
    with pytest.raises(ConnectorUnavailable):
        recognize(connector)


def test_a_completed_transcript_without_any_text_is_nothing_said(
    connector: AssemblyAIConnector, remote: Provider
):
    remote.polls = [json_reply({"id": "t-1", "status": "completed", "text": None, "words": "x"})]
    assert recognize(connector).segments == ()


def test_a_bad_key_is_final_and_the_note_is_clean(connector: AssemblyAIConnector, remote: Provider):
    remote.upload = Reply(401)
    context = ChunkContext()
    with pytest.raises(ConnectorRejected, match="key"):
        recognize(connector, context=context)
    assert context.note is None


def test_always_processing_ends_some_day(
    connector: AssemblyAIConnector, remote: Provider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(assemblyai, "MAX_QUEUE_SECONDS", 0.05)
    remote.polls = [json_reply({"id": "t-1", "status": "processing"})]
    with pytest.raises(ConnectorUnavailable, match="in time"):
        recognize(connector)


def test_the_settings_lead_to_the_public_address(settings_with: Callable[..., object]):
    made = AssemblyAIConnector.from_settings(settings_with(transcription_api_key="k"))
    assert made._service._base_url == "https://api.assemblyai.com"
    assert made.models == ("universal-2",)
