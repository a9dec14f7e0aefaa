"""What a transcript was made with, how good it is, and when it will be done."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from speakr.db import release, unit_of_work
from speakr.domain.transcript import Span
from speakr.domain.transcript_quality import measure
from speakr.jobs import time_left
from speakr.media.noise_level import signal_to_noise_db
from speakr.models import Job, Recording
from tests.conftest import Person
from tests.fakes import FakeTranscriber

RATE = 16_000


def detail(person: Person, number: int) -> dict[str, Any]:
    return person.get(f"/api/v1/recordings/{number}").json


def test_a_recording_shows_what_its_transcript_was_made_with(alice: Person, upload, work) -> None:
    number = upload(
        alice, language="German", hotwords="Acme", initial_prompt="A call.", min_speakers="2"
    ).json["id"]
    assert (detail(alice, number)["transcribed_with"], detail(alice, number)["quality"]) == (None, None)
    work()
    assert detail(alice, number)["transcribed_with"] == {
        "engine": "fake",
        "model": None,
        "language": "de",
        "hotwords": "Acme",
        "initial_prompt": "A call.",
        "min_speakers": 2,
        "max_speakers": None,
        "ignored_options": detail(alice, number)["transcribed_with"]["ignored_options"],
    }
    alice.post(f"/api/v1/recordings/{number}/transcribe", json={"hotwords": "Globex"})
    assert detail(alice, number)["transcribed_with"]["hotwords"] == "Acme"
    work()
    assert detail(alice, number)["transcribed_with"]["hotwords"] == "Globex"
    assert detail(alice, number)["transcribed_with"]["language"] is None


def test_of_an_older_transcript_only_the_engine_is_known(alice: Person, upload, work) -> None:
    number = upload(alice).json["id"]
    work()
    with unit_of_work() as session:
        recording = session.get_one(Recording, number)
        recording.transcribed_with = recording.quality = None
        recording.transcription_engine = "openai:whisper-1"
    shown = detail(alice, number)
    assert shown["quality"] is None
    assert (shown["transcribed_with"]["engine"], shown["transcribed_with"]["model"]) == (
        "openai",
        "whisper-1",
    )
    assert shown["transcribed_with"]["hotwords"] is None


def test_a_recording_shows_the_quality_of_its_transcript(
    alice: Person, upload, work, transcriber: FakeTranscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    transcribe = transcriber.transcribe

    def answer(*arguments: Any) -> Any:
        found = transcribe(*arguments)
        segments = [replace(segment, confidence=0.5) for segment in found.segments]
        return replace(found, segments=segments, language_probability=0.9, times_estimated=True)

    monkeypatch.setattr(transcriber, "transcribe", answer)
    number = upload(alice).json["id"]
    work()
    quality = detail(alice, number)["quality"]
    assert set(quality) == {
        "confidence", "language_probability", "signal_to_noise_db", "speech_share", "retried_share", "repaired_share",
        "times_estimated",
    }  # fmt: skip
    assert (quality["confidence"], quality["language_probability"], quality["times_estimated"]) == (
        0.5,
        0.9,
        True,
    )
    assert 0 < quality["speech_share"] <= 1
    assert quality["retried_share"] == quality["repaired_share"] == 0


@pytest.mark.on_sqlite
class TestTimeLeft:
    def test_status_counts_down_and_never_up(self, alice: Person, upload) -> None:
        number = upload(alice).json["id"]

        def seconds_left() -> int | None:
            release()
            return alice.get(f"/api/v1/recordings/{number}/status").json["eta_seconds"]

        def expect(moment: float | None) -> None:
            with unit_of_work() as session:
                job = session.query(Job).filter_by(recording_id=number).one()
                job.state, job.plan = "running", {"expected_at": moment}

        assert seconds_left() is None  # it waits
        expect(None)
        assert seconds_left() is None
        expect(time.time() + 100)
        assert seconds_left() in {99, 100}
        expect(time.time() - 100)
        assert seconds_left() == 1

    def test_the_speed_of_an_engine_is_learned(self, app: Any) -> None:
        engine = "fake:model-of-this-test"
        assert time_left.expected_at(engine, 100.0) is None
        time_left.learn(engine, seconds=5.0, audio_seconds=10.0)
        assert time_left.expected_at(engine, 100.0) is None  # too short to learn from
        time_left.learn(engine, seconds=50.0, audio_seconds=100.0)
        assert time_left.expected_at(engine, 200.0) == pytest.approx(time.time() + 101, abs=2)
        time_left.learn(engine, seconds=150.0, audio_seconds=100.0)
        assert time_left.expected_at(engine, 200.0) == pytest.approx(time.time() + 161, abs=2)


def test_noise_is_the_level_of_what_is_not_speech() -> None:
    rng = np.random.default_rng(1)
    samples = rng.normal(0, 30, 10 * RATE)
    samples[2 * RATE : 6 * RATE] += rng.normal(0, 3000, 4 * RATE)
    found = signal_to_noise_db(samples.astype(np.int16), [Span(2, 6)])
    assert found == pytest.approx(40, abs=1)
    assert signal_to_noise_db(samples.astype(np.int16), []) is None
    assert signal_to_noise_db(samples.astype(np.int16), [Span(0, 10)]) is None
    silence = np.zeros(10 * RATE, np.int16)
    assert signal_to_noise_db(silence, [Span(2, 6)]) == 0.0


def test_results_of_an_older_version_have_a_quality_too() -> None:
    quality = measure([{}], [], duration_seconds=0.0, speech_seconds=None, signal_to_noise_db=None)
    assert quality.to_json() == {
        "confidence": None, "language_probability": None, "signal_to_noise_db": None, "speech_share": None,
        "retried_share": None, "repaired_share": None, "times_estimated": False,
    }  # fmt: skip
