"""Complete jobs against HTTP engines that fail halfway: finished chunks stay, and nothing is sent twice."""

from __future__ import annotations

import hashlib
import io
import json
import wave
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flask import Flask

from speakr.backends import Backends
from speakr.connectors.openai_access import OpenAIAccess
from speakr.connectors.transcription.openai import OpenAIConnector
from speakr.db import db, unit_of_work
from speakr.domain.jobs import ChunkState, JobState
from speakr.domain.transcript import Span
from speakr.jobs import runner, transcribe
from speakr.models import Job, JobChunk, Recording
from speakr.services.speech import transcripts
from tests.conftest import Person
from tests.connectors.fake_provider import FakeProvider, Reply, Request, json_reply
from tests.jobs.looking import job_of


class Engine:
    """Says a hash of what it is sent; after `well_for` answers it does what `then` says."""

    def __init__(self) -> None:
        self.fake = FakeProvider()
        self.fake.answer = self.answer
        self.well_for = 1_000
        self.then = Reply(500)
        self.timeout = 20.0  # measured by the client, in seconds
        self.spoken: Counter[str] = Counter()

    def answer(self, request: Request) -> Reply:
        if self.well_for <= 0:
            return self.then
        self.well_for -= 1
        digest = hashlib.sha256(request.form["file"][0]).hexdigest()[:12]
        self.spoken[digest] += 1
        return json_reply({"text": digest, "segments": [{"start": 0.1, "end": 0.5, "text": digest}]})

    def connector(self) -> OpenAIConnector:
        access = OpenAIAccess(base_url=self.fake.url, api_key="sk-secret", timeout_seconds=self.timeout)
        made = OpenAIConnector(access, models=["whisper-1"], default_model="whisper-1")
        made.capabilities = replace(made.capabilities, target_chunk_seconds=2.0, max_chunk_seconds=4.0)
        return made


@pytest.fixture
def first() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.fake.close()


@pytest.fixture
def second() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.fake.close()


@pytest.fixture
def fallback() -> list[Any]:
    """Filled by tests that want a second engine."""
    return []


@pytest.fixture
def backends(backends: Backends, first: Engine, fallback: list[Any]) -> Backends:
    return replace(
        backends,
        make_transcriber=first.connector,
        make_fallback=lambda: fallback[0].connector() if fallback else None,
    )


@pytest.fixture
def recorded(alice: Person, upload: Callable[..., Any], speech: list[Span]) -> int:
    """The id of a recording of 20 seconds, no two of which are alike."""
    samples = np.random.default_rng(11).integers(-3_000, 3_000, 20 * 16_000).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples.tobytes())
    return int(upload(alice, buffer.getvalue()).json["id"])


def texts(recording_id: int) -> list[str]:
    return [segment.text for segment in transcripts.segments_of(recording_id)]


def again(job_id: int) -> None:
    with unit_of_work() as session:
        session.get_one(Job, job_id).not_before = None
    runner.run(job_id)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("then", "code"),
    [
        (Reply(200, b"<html>Welcome</html>"), "provider_unavailable"),
        (Reply(200, json.dumps({"result": {"words": 3}}).encode()), "provider_unavailable"),
        (Reply(hang=True), "provider_unavailable"),
        (Reply(drip_seconds=0.05), "provider_unavailable"),
        (Reply(reset=True), "provider_unavailable"),
        (Reply(429, headers={"Retry-After": "180"}), "provider_busy"),
    ],
    ids=["nonsense", "another shape", "hang", "drip", "reset", "busy for minutes"],
)
def test_an_engine_that_turns_bad_loses_nothing(
    app: Flask, recorded: int, work: Callable[[], int], first: Engine, then: Reply, code: str
):
    first.well_for, first.then = 4, then
    if then.hang or then.drip_seconds:
        first.timeout = 2.0
    work()
    job = job_of(recorded)
    assert (job.state, job.error_code) == (JobState.QUEUED, code)
    pause = (job.not_before - job.queued_at).total_seconds()
    assert pause > (150 if code == "provider_busy" else 1)
    kept = db.session.query(JobChunk).filter_by(job_id=job.id, state=ChunkState.DONE).count()
    assert kept == 4
    first.well_for = 1_000
    forget_what_is_known_of_engines()
    again(job.id)
    assert job_of(recorded).state is JobState.SUCCEEDED
    assert set(first.spoken.values()) == {1}
    assert Counter(texts(recorded)) == first.spoken


def forget_what_is_known_of_engines() -> None:
    from speakr.backends import get_backends

    get_backends().redis.flushdb()


def test_an_engine_that_dies_half_way_is_replaced_by_the_second(
    recorded: int, work: Callable[[], int], first: Engine, second: Engine, fallback: list[Any]
):
    fallback.append(second)
    first.well_for, first.then = 5, Reply(reset=True)
    work()
    assert job_of(recorded).state is JobState.SUCCEEDED
    assert (sum(first.spoken.values()), sum(second.spoken.values())) == (5, 5)
    assert set(first.spoken.values()) == set(second.spoken.values()) == {1}
    assert not set(first.spoken) & set(second.spoken)
    assert len(texts(recorded)) == 10
    # The engine that failed three times in a row was left alone from then on.
    assert len(first.fake.requests) == 5 + 3
    assert db.session.get_one(Recording, recorded).transcription_engine == "openai:whisper-1"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_chunk_that_is_too_large_is_sent_in_pieces(
    recorded: int, work: Callable[[], int], first: Engine, monkeypatch: pytest.MonkeyPatch
):
    from speakr.jobs import recognition

    monkeypatch.setattr(recognition, "MIN_PIECE_SECONDS", 0.2)
    answer = first.answer
    first.fake.answer = lambda request: Reply(413) if len(request.body) > 25_000 else answer(request)
    work()
    assert job_of(recorded).state is JobState.SUCCEEDED
    assert set(first.spoken.values()) == {1}
    assert len(first.spoken) == 20
    assert len(texts(recorded)) == 20


@pytest.mark.on_sqlite
def test_the_owner_reads_what_the_engine_answers(
    app: Flask, alice: Person, first: Engine, recorded: int
) -> None:
    first.well_for = 0
    first.then = json_reply({"error": {"message": "No such model: whisper-1. Key sk-secret."}}, 404)
    runner.run(job_of(recorded).id)
    shown = alice.get(f"/api/v1/recordings/{recorded}/status").json
    assert shown["error_code"] == "provider_rejected"
    assert shown["error_message"] == (
        "The transcription provider does not know the model or the address (HTTP 404)."
        " It answers: “No such model: whisper-1. Key [...].”"
    )
    assert first.fake.url not in shown["error_message"]


@pytest.mark.on_sqlite
def test_all_workers_remember_which_form_of_answer_a_server_refuses(
    app: Flask, alice: Person, first: Engine, recorded: int
) -> None:
    def json_only(request: Request) -> Reply:
        if request.form["response_format"] != [b"json"]:
            return json_reply({"message": "Currently do not support verbose_json for whisper-1"}, 400)
        return json_reply({"text": "Words."})

    first.fake.answer = json_only
    runner.run(job_of(recorded).id)
    formats = [request.form["response_format"][0] for request in first.fake.requests]
    assert formats.count(b"verbose_json") == 1
    assert alice.get(f"/api/v1/recordings/{recorded}").json["quality"]["times_estimated"] is True
    first.fake.requests.clear()
    alice.post(f"/api/v1/recordings/{recorded}/transcribe")
    transcribe._engines = None  # as in another work horse
    runner.run(job_of(recorded).id)
    assert {request.form["response_format"][0] for request in first.fake.requests} == {b"json"}
