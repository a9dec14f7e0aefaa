"""Engines that are hostile, whatever their kind: each failure has its type, and each comes in time."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest

from speakr.connectors.transcription import make_connector, waiting
from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk, ChunkContext, TranscriptionConnector
from speakr.domain.errors import (
    ConnectorBusy,
    ConnectorRejected,
    ConnectorTooLarge,
    ConnectorUnavailable,
    JobCancelled,
    JobError,
)
from speakr.domain.transcript import Hints, Span
from speakr.settings import Settings
from tests.connectors.fake_provider import FakeProvider, Reply, json_reply


@pytest.fixture
def seconds(request: pytest.FixtureRequest) -> float:
    """How long an answer may take: not long if it will not come."""
    reply = request.node.callspec.params.get("reply")
    return 0.6 if reply is not None and (reply.hang or reply.drip_seconds) else 10.0


@pytest.fixture(params=["openai", "asr", "assemblyai"])
def connector(
    request: pytest.FixtureRequest,
    provider: FakeProvider,
    settings_with: Callable[..., Settings],
    seconds: float,
) -> TranscriptionConnector:
    return make_connector(
        settings_with(
            transcription_connector=request.param,
            transcription_base_url=provider.url,
            transcription_api_key="sk-secret",
            transcription_timeout_seconds=seconds,
        )
    )


def recognize(connector: TranscriptionConnector, context: ChunkContext | None = None):
    samples = np.random.default_rng(7).integers(-900, 900, SAMPLE_RATE).astype(np.int16)
    chunk = AudioChunk(samples, 0.0, (Span(0.0, 1.0),), context or ChunkContext())
    return connector.transcribe(chunk, Hints(), lambda _: None)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(200, b"<html>welcome</html>"), ConnectorUnavailable),
        (Reply(200, b""), ConnectorUnavailable),
        (Reply(200, b"\xff\xfe\x00"), ConnectorUnavailable),
        (json_reply([1, 2]), ConnectorUnavailable),
        (json_reply({"detail": "ok"}), ConnectorUnavailable),
        (json_reply({"text": 7, "segments": "none", "words": {}}), ConnectorUnavailable),
        (Reply(200, b'{"text": "cut of', cut_short=True), ConnectorUnavailable),
        (Reply(hang=True), ConnectorUnavailable),
        (Reply(drip_seconds=0.05), ConnectorUnavailable),
        (Reply(reset=True), ConnectorUnavailable),
        (Reply(500), ConnectorUnavailable),
        (Reply(502, b"<html>"), ConnectorUnavailable),
        (Reply(503), ConnectorUnavailable),
        (Reply(503, headers={"Retry-After": "4"}), ConnectorBusy),
        (Reply(429), ConnectorBusy),
        (Reply(413), ConnectorTooLarge),
        (Reply(400), ConnectorRejected),
        (Reply(401), ConnectorRejected),
        (Reply(402), ConnectorRejected),
        (Reply(404), ConnectorRejected),
        (Reply(422), ConnectorRejected),
    ],
)
def test_every_failure_has_its_type(
    connector: TranscriptionConnector, provider: FakeProvider, reply: Reply, error: type[JobError]
):
    provider.answers(reply)
    with pytest.raises(JobError) as raised:
        recognize(connector)
    assert type(raised.value) is error
    assert "secret" not in raised.value.message
    assert len(provider.requests) <= 1  # asking again is the job's decision


def test_an_endless_answer_is_left(
    connector: TranscriptionConnector, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(waiting, "MAX_ANSWER_BYTES", 3_000_000)
    provider.answers(Reply(endless=True))
    with pytest.raises(ConnectorUnavailable):
        recognize(connector)


def test_a_redirect_is_not_followed_with_our_key(connector: TranscriptionConnector, provider: FakeProvider):
    provider.answer = lambda request: (
        json_reply({"text": "stolen"})
        if request.path == "/elsewhere"
        else Reply(307, headers={"Location": "http://localhost:1/elsewhere"})
    )
    with pytest.raises(JobError):
        recognize(connector)


def test_cancelling_does_not_wait_for_an_answer(
    connector: TranscriptionConnector, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(waiting, "HEARTBEAT_SECONDS", 0.01)

    class Cancelled(ChunkContext):
        def heartbeat(self) -> None:
            if provider.requests:
                raise JobCancelled("The user asked to stop.")

    provider.answers(Reply(hang=True))
    with pytest.raises(JobCancelled):
        recognize(connector, Cancelled())


def test_waiting_leaves_no_thread_behind_when_all_is_well():
    assert waiting.wait_interruptibly("The engine", lambda: 7, 5.0, lambda: None) == 7
    assert not [thread for thread in threading.enumerate() if thread.name == "asking-an-engine"]


def test_an_account_that_is_used_up_is_no_busy_engine(
    provider: FakeProvider, settings_with: Callable[..., Settings]
):
    provider.answers(json_reply({"error": {"code": "insufficient_quota", "message": "pay"}}, 429))
    with pytest.raises(ConnectorUnavailable) as raised:
        recognize(make_connector(settings_with(transcription_base_url=provider.url)))
    assert type(raised.value) is ConnectorUnavailable
