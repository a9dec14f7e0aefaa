"""Chunks and their engines: failover, waiting, halving, and stored notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from flask import Flask
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from speakr.backends import Backends
from speakr.connectors.transcription.base import (
    SAMPLE_RATE,
    AudioChunk,
    Capabilities,
)
from speakr.db import db, unit_of_work
from speakr.domain.errors import (
    ConnectorBusy,
    ConnectorRejected,
    ConnectorTooLarge,
    ConnectorUnavailable,
    JobError,
)
from speakr.domain.jobs import JobState
from speakr.domain.transcript import Hints, Segment, Span
from speakr.jobs import engine_health, engine_slots, recognition, runner
from speakr.jobs.engine_health import Health
from speakr.jobs.engine_slots import EngineSlots
from speakr.models import Job, JobChunk, Recording
from tests.conftest import Person
from tests.fakes import FakeTranscriber, MemoryJobNotifier
from tests.jobs.looking import job_of

# -- one chunk, engines that fail


class FakeEngine:
    """A listener that counts."""

    def __init__(self) -> None:
        self.streamed: list[Segment] = []
        self.breaths = 0

    def begin(self) -> None:
        self.streamed = []

    def on_segment(self, segment: Segment) -> None:
        self.streamed.append(segment)

    def heartbeat(self) -> None:
        self.breaths += 1


@pytest.fixture
def redis(redis_connection: Redis) -> Iterator[Redis]:
    yield redis_connection
    redis_connection.flushdb()


def engine(redis: Redis, place: str, transcriber: FakeTranscriber, slots: int = 0) -> recognition.Engine:
    return recognition.Engine(transcriber, EngineSlots(redis, place, slots), Health(redis, place))


def raising(error: Exception | None) -> FakeTranscriber:
    def fail(_: AudioChunk) -> None:
        if error is not None:
            raise error

    return FakeTranscriber(fail)


def audio(seconds: float = 4.0, spans: tuple[Span, ...] = ()) -> AudioChunk:
    samples = np.ones(round(seconds * SAMPLE_RATE), dtype=np.int16)
    return AudioChunk(samples, 100.0, spans or (Span(100.0, 100.0 + seconds),))


def no_notes() -> recognition.Notes:
    return recognition.Notes({}, lambda _: None)


def recognize(engines: list[recognition.Engine], chunk: AudioChunk | None = None, hints: Hints | None = None):
    return recognition.transcribe_chunk(engines, chunk or audio(), hints or Hints(), FakeEngine(), no_notes())


FAILURES = [
    ConnectorUnavailable("away"),
    ConnectorBusy("busy", retry_after_seconds=60.0),
    ConnectorRejected("no"),
    ConnectorTooLarge("too much"),
]


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: error.slug)
def test_whatever_is_wrong_with_the_first_the_second_hears(redis: Redis, error: JobError):
    first, second = raising(error), FakeTranscriber()
    second.name = "second"
    outcome = recognize([engine(redis, "a", first), engine(redis, "b", second)])
    assert outcome.engine == "second"
    assert len(outcome.hypothesis.segments) == 1


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: error.slug)
def test_without_a_second_engine_its_failure_is_raised(redis: Redis, error: JobError):
    with pytest.raises(type(error)) as raised:
        recognize([engine(redis, "a", raising(error))])
    assert raised.value is error


def test_of_two_failures_the_more_retryable_is_raised(redis: Redis):
    busy = ConnectorBusy("busy", retry_after_seconds=5.0)
    for pair in ([FAILURES[2], busy], [busy, FAILURES[0]]):
        redis.flushdb()
        with pytest.raises(ConnectorBusy):
            recognize([engine(redis, str(at), raising(error)) for at, error in enumerate(pair)])


def test_an_engine_that_fails_again_and_again_is_given_a_rest(redis: Redis, monkeypatch: pytest.MonkeyPatch):
    first, second = raising(ConnectorUnavailable("away")), FakeTranscriber()
    asked: list[AudioChunk] = []
    fail = first.before
    first.before = lambda chunk: (asked.append(chunk), fail(chunk))
    engines = [engine(redis, "a", first), engine(redis, "b", second)]
    for _ in range(10):
        recognize(engines)
    assert len(asked) == engine_health.FAILURES_IN_A_ROW
    assert len(second.chunks) == 10
    # When it has rested, one worker tries it while the others leave it alone.
    redis.delete("speakr:engine:a:rest")
    assert engines[0].health.rest() is None
    assert engines[0].health.rest() is not None
    engines[0].health.succeeded()
    assert engines[0].health.rest() is None


def test_an_engine_that_asks_to_wait_is_paused_for_all_workers(redis: Redis):
    hear_first = engine(redis, "a", raising(ConnectorBusy("busy", retry_after_seconds=60.0)))
    with pytest.raises(ConnectorBusy):
        recognize([hear_first])
    well = FakeTranscriber()
    with pytest.raises(ConnectorBusy) as raised:
        recognize([engine(redis, "a", well)])
    assert 50 < raised.value.retry_after_seconds <= 60
    assert well.chunks == []


def test_slots_are_counted_over_all_workers_and_leases_end(redis: Redis, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engine_slots, "_LOOK_SECONDS", 0.001)
    slots = [EngineSlots(redis, "a", 2) for _ in range(3)]

    class Enough(Exception):
        pass

    def give_up() -> None:
        raise Enough

    with slots[0].acquire_slot(give_up), slots[1].acquire_slot(give_up):
        with pytest.raises(Enough), slots[2].acquire_slot(give_up):
            pass
        # One of the owners dies: its lease ends without any notification.
        redis.zadd("speakr:engine:a:slots", {redis.zrange("speakr:engine:a:slots", 0, 0)[0]: 1})
        with slots[2].acquire_slot(give_up):
            pass
    assert redis.zcard("speakr:engine:a:slots") == 0
    monkeypatch.setattr(engine_slots, "MAX_WAIT_SECONDS", 0.0)
    with (
        slots[0].acquire_slot(give_up),
        slots[1].acquire_slot(give_up),
        pytest.raises(ConnectorBusy),
        slots[2].acquire_slot(lambda: None),
    ):
        pass


def test_without_redis_engines_are_taken_for_well(unused_redis: Redis):
    chunk = engine(unused_redis, "a", FakeTranscriber(), slots=1)
    assert len(recognize([chunk]).hypothesis.segments) == 1
    with pytest.raises(ConnectorUnavailable):
        recognize([engine(unused_redis, "a", raising(ConnectorUnavailable("away")), slots=1)])


@pytest.fixture
def unused_redis() -> Redis:
    return Redis(port=1, socket_connect_timeout=0.2, retry=Retry(NoBackoff(), 0))


def test_a_chunk_too_large_is_transcribed_in_pieces_cut_at_pauses(redis: Redis):
    spans = tuple(Span(100.0 + at, 100.9 + at) for at in range(60))

    def small_only(chunk: AudioChunk) -> None:
        if chunk.samples.size > 20 * SAMPLE_RATE:
            raise ConnectorTooLarge("too much")

    transcriber = FakeTranscriber(small_only)
    transcriber.capabilities = Capabilities(target_chunk_seconds=60, max_chunk_seconds=60)
    outcome = recognize([engine(redis, "a", transcriber)], audio(60.0, spans))
    assert [segment.text for segment in outcome.hypothesis.segments] == [
        f"heard {span.start:.1f}-{span.end:.1f}" for span in spans
    ]
    assert len(transcriber.chunks) == 4
    assert Health(redis, "a").rest() is None


def test_pieces_inside_speech_overlap_and_are_joined(redis: Redis):
    """Each piece contains its full seconds: none is lost, none is repeated."""

    class Counting(FakeTranscriber):
        capabilities = Capabilities(target_chunk_seconds=60, max_chunk_seconds=20, overlap_seconds=2.0)

        def transcribe(self, chunk, hints, on_segment):
            heard = super().transcribe(chunk, hints, on_segment)
            end = chunk.start + chunk.samples.size / SAMPLE_RATE
            seconds = [at for at in range(100, 160) if chunk.start <= at and at + 0.9 <= end]
            from speakr.domain.transcript import Word

            words = [Word(f"n{at}", float(at), at + 0.9) for at in seconds]
            text = " ".join(word.text for word in words)
            return replace(heard, segments=(Segment(words[0].start, words[-1].end, text, words=words),))

    outcome = recognize([engine(redis, "a", Counting())], audio(60.0))
    words = [word.text for segment in outcome.hypothesis.segments for word in segment.words]
    assert words == [f"n{at}" for at in range(100, 160)]


def test_what_is_too_large_however_small_is_refused(redis: Redis):
    transcriber = raising(ConnectorTooLarge("too much"))
    with pytest.raises(ConnectorTooLarge):
        recognize([engine(redis, "a", transcriber)], audio(60.0))


def test_each_engine_has_its_own_note_about_a_chunk(redis: Redis):
    kept: list[dict[str, object]] = []
    notes = recognition.Notes({"fake": {"id": 1}}, lambda note: kept.append(dict(note)))
    seen: list[object] = []

    def look(chunk: AudioChunk) -> None:
        seen.append(chunk.context.note)
        chunk.context.keep({"id": 2})
        chunk.context.heartbeat()

    second = FakeTranscriber(look)
    second.name = "second"

    def look_and_fail(chunk: AudioChunk) -> None:
        look(chunk)
        raise ConnectorUnavailable("away")

    recognition.transcribe_chunk(
        [engine(redis, "a", FakeTranscriber(look_and_fail)), engine(redis, "b", second)],
        audio(),
        Hints(),
        FakeEngine(),
        notes,
    )
    assert seen == [{"id": 1}, None]
    assert kept[-1] == {"fake": {"id": 2}, "second": {"id": 2}}


def test_a_model_of_the_first_is_not_asked_of_the_second(redis: Redis):
    second = FakeTranscriber()
    hints = Hints(model="large", hotwords="Zaphod")
    outcome = recognize([engine(redis, "a", raising(FAILURES[0])), engine(redis, "b", second)], hints=hints)
    assert second.hints[0].model is None
    assert outcome.ignored == ["transcription_model", "hotwords"]


# -- whole jobs


@pytest.fixture
def backends(backends: Backends, second: FakeTranscriber) -> Backends:
    return replace(backends, make_fallback=lambda: second)


def test_an_engine_killed_half_way_is_replaced_and_nothing_is_sent_twice(
    alice: Person,
    recorded: int,
    work: Callable[[], int],
    transcriber: FakeTranscriber,
    second: FakeTranscriber,
):
    heard: Counter[float] = Counter()

    def die(chunk: AudioChunk) -> None:
        if len(transcriber.chunks) == 2:
            raise ConnectorUnavailable("It was killed.")
        heard[chunk.start] += 1

    transcriber.before = die
    second.before = lambda chunk: heard.update([chunk.start])
    work()
    job = job_of(recorded)
    assert job.state is JobState.SUCCEEDED
    assert len(transcriber.chunks) == 2
    assert len(second.chunks) == len(heard) - 2 > 0
    assert set(heard.values()) == {1}
    assert db.session.get_one(Recording, recorded).transcription_engine == "fake, second"
    segments = alice.get(f"/api/v1/recordings/{recorded}/transcript?format=json").json["segments"]
    assert len(segments) == 10


def test_being_asked_to_wait_counts_no_try_until_patience_ends(
    app: Flask, recorded: int, transcriber: FakeTranscriber, second: FakeTranscriber, redis_connection: Redis
):
    def busy(_: object) -> None:
        raise ConnectorBusy("Later.", retry_after_seconds=30.0)

    transcriber.before = second.before = busy
    job_id = job_of(recorded).id
    for _ in range(8):
        with unit_of_work() as session:
            session.get_one(Job, job_id).not_before = None
        runner.run(job_id)
    job = job_of(recorded)
    assert (job.state, job.attempts, job.error_code) == (JobState.QUEUED, 0, "provider_busy")
    assert 20 < (job.not_before - job.rung_at).total_seconds() + 30 <= 40
    with unit_of_work() as session:
        waiting = session.get_one(Job, job_id)
        waiting.not_before, waiting.attempts = None, 4
        waiting.started_at = waiting.created_at.replace(year=2020)
    runner.run(job_id)
    assert job_of(recorded).state is JobState.FAILED


def test_ignored_options_are_shown_with_the_job(
    alice: Person, recorded: int, work: Callable[[], int], notifier: MemoryJobNotifier
):
    work()
    asked = {"language": "de", "hotwords": "Zaphod", "min_speakers": 2}
    job_id = alice.post(f"/api/v1/recordings/{recorded}/transcribe", json=asked).json["job_id"]
    assert alice.get(f"/api/v1/jobs/{job_id}").json["ignored_options"] == []
    work()
    assert alice.get(f"/api/v1/jobs/{job_id}").json["ignored_options"] == ["hotwords", "min_speakers"]


def test_a_note_outlives_its_worker_and_not_its_chunk(
    recorded: int, work: Callable[[], int], transcriber: FakeTranscriber, second: FakeTranscriber
):
    seen: list[object] = []

    def order(chunk: AudioChunk) -> None:
        seen.append(chunk.context.note)
        if chunk.context.note is None:
            chunk.context.keep({"transcript": "t-1"})
            raise ConnectorUnavailable("The line broke.")

    transcriber.before = order
    second.before = lambda _: (_ for _ in ()).throw(ConnectorUnavailable("Away."))
    work()
    job = job_of(recorded)
    assert job.state is JobState.QUEUED
    with unit_of_work() as session:
        session.get_one(Job, job.id).not_before = None
    runner.run(job.id)
    assert seen[:2] == [None, {"transcript": "t-1"}]
    notes = db.session.query(JobChunk.note).filter(JobChunk.result.isnot(None)).all()
    assert all(note is None for (note,) in notes)
