"""Pauses of engines that fail, and the language of a chunk that was halved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from flask import Flask
from redis import Redis

from speakr.backends import Backends
from speakr.connectors.transcription.base import (
    SAMPLE_RATE,
    AudioChunk,
    Capabilities,
    OnSegment,
    TranscriptionConnector,
)
from speakr.connectors.transcription.embedded import EmbeddedConnector
from speakr.connectors.transcription.whisper import WhisperConnector
from speakr.db import unit_of_work
from speakr.domain.errors import ConnectorUnavailable
from speakr.domain.jobs import JobState
from speakr.domain.transcript import Hints, Hypothesis, Segment, Span
from speakr.jobs import engine_health, recognition, runner
from speakr.jobs.engine_health import Health
from speakr.jobs.engine_slots import EngineSlots
from speakr.models import Job
from tests.fakes import FakeTranscriber
from tests.jobs.looking import job_of


class Listener:
    """Takes segments and never stops the work."""

    def begin(self) -> None: ...

    def on_segment(self, segment: Segment) -> None: ...

    def heartbeat(self) -> None: ...


def recognize(
    redis: Redis, transcriber: FakeTranscriber, seconds: float = 4.0, spans: tuple[Span, ...] = ()
) -> Hypothesis:
    samples = np.ones(round(seconds * SAMPLE_RATE), dtype=np.int16)
    chunk = AudioChunk(samples, 100.0, spans or (Span(100.0, 100.0 + seconds),))
    engine = recognition.Engine(transcriber, EngineSlots(redis, "a", 0), Health(redis, "a"))
    notes = recognition.Notes({}, lambda _: None)
    return recognition.transcribe_chunk([engine], chunk, Hints(), Listener(), notes).hypothesis


def failing(message: str) -> FakeTranscriber:
    def fail(_: AudioChunk) -> None:
        raise ConnectorUnavailable(message)

    return FakeTranscriber(fail)


@pytest.fixture
def redis(redis_connection: Redis) -> Redis:
    redis_connection.flushdb()
    return redis_connection


@pytest.fixture
def backends(backends: Backends, second: FakeTranscriber) -> Backends:
    return replace(backends, make_fallback=lambda: second)


def test_a_recording_on_which_a_local_engine_fails_stops_no_other(redis: Redis) -> None:
    local = failing("failed on this recording")
    local.capabilities = replace(local.capabilities, is_local=True)
    for _ in range(engine_health.FAILURES_IN_A_ROW + 1):
        with pytest.raises(ConnectorUnavailable, match="failed on this recording"):
            recognize(redis, local)
    assert len(recognize(redis, FakeTranscriber()).segments) == 1


@pytest.mark.parametrize("local", [EmbeddedConnector, WhisperConnector])
def test_engines_in_the_worker_are_local(local: type[TranscriptionConnector]) -> None:
    assert local.capabilities.is_local


def test_a_paused_engine_counts_no_try(
    app: Flask, recorded: int, transcriber: FakeTranscriber, second: FakeTranscriber, redis_connection: Redis
) -> None:
    def fail(_: object) -> None:
        raise ConnectorUnavailable("Away.")

    transcriber.before = second.before = fail
    for place in ("first", "second"):
        for _ in range(engine_health.FAILURES_IN_A_ROW):
            Health(redis_connection, place).failed()
    job_id = job_of(recorded).id
    for _ in range(8):
        with unit_of_work() as session:
            session.get_one(Job, job_id).not_before = None
        runner.run(job_id)
    job = job_of(recorded)
    assert (job.state, job.attempts, job.error_code) == (JobState.QUEUED, 0, "provider_unavailable")
    assert job.message.startswith("The engine is paused after failures; continues in ")
    assert transcriber.chunks == second.chunks == []


# -- the language of a chunk that was halved


def test_the_language_of_halves_is_that_of_most_speech(redis: Redis) -> None:
    first = FakeTranscriber()
    first.capabilities = Capabilities(target_chunk_seconds=60, max_chunk_seconds=15)
    known = first.transcribe

    def transcribe(chunk: AudioChunk, hints: Hints, on_segment: OnSegment) -> Hypothesis:
        found = known(chunk, hints, on_segment)
        if chunk.start == 100.0:
            return replace(found, language="en", language_probability=0.2)
        return replace(found, language="de", language_probability=0.6 if chunk.start < 130 else 0.8)

    first.transcribe = transcribe  # type: ignore[method-assign]
    spans = (Span(100.0, 102.0), Span(121.0, 139.0), Span(141.0, 160.0))
    found = recognize(redis, first, 60.0, spans)
    assert found.language == "de"
    assert found.language_probability == pytest.approx(0.7)
