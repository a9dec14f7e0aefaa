"""The language that is stored with a recording, from the engine behind `Backends` to the database."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from speakr.backends import Backends
from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk
from speakr.connectors.transcription.embedded import EmbeddedConnector
from speakr.db import db, release
from speakr.domain.languages import main_language
from speakr.domain.transcript import UNDETERMINED, Hints, Span
from speakr.models import Recording
from tests.conftest import Person
from tests.connectors.conftest import read_clip


@pytest.fixture
def backends(backends: Backends) -> Backends:
    """The embedded engine of a server for English only."""
    return replace(backends, make_transcriber=EmbeddedConnector)


def wav_of(samples: np.ndarray) -> bytes:
    """Return a WAV file with these samples."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(samples.tobytes())
    return buffer.getvalue()


@pytest.fixture
def foreign() -> AudioChunk:
    """Speech backwards: no English, and not silence."""
    samples = read_clip("librivox_0870")[::-1].copy()
    return AudioChunk(samples, 0.0, (Span(0.0, samples.size / SAMPLE_RATE),))


def test_the_engine_of_a_worker_says_that_it_does_not_know_the_language(
    backends: Backends, foreign: AudioChunk
) -> None:
    found = backends.transcriber().transcribe(foreign, Hints(), lambda _: None)
    assert (found.segments, found.language) == ((), UNDETERMINED)


@pytest.mark.parametrize(("named", "language"), [(None, None), ("en", "en")])
def test_a_chunk_without_words_has_the_named_language_or_none(
    backends: Backends, named: str | None, language: str | None
) -> None:
    silence = AudioChunk(np.zeros(SAMPLE_RATE, np.int16), 0.0, (Span(0.0, 1.0),))
    found = backends.transcriber().transcribe(silence, Hints(language=named), lambda _: None)
    assert (found.segments, found.language) == ((), language)


def test_an_empty_transcript_of_foreign_speech_is_stored_as_undetermined(
    alice: Person,
    upload: Callable[..., Any],
    speech: list[Span],
    work: Callable[[], int],
    foreign: AudioChunk,
) -> None:
    silence = np.zeros(60 * SAMPLE_RATE, np.int16)
    speech[:] = [*foreign.spans, Span(60.0, 61.0)]  # the second chunk has no word
    number = upload(alice, wav_of(np.concatenate([foreign.samples, silence]))).json["id"]
    work()
    release()
    assert db.session.get_one(Recording, number).language == UNDETERMINED
    assert alice.get(f"/api/v1/recordings/{number}/transcript?format=json").json["segments"] == []


@pytest.mark.parametrize(
    ("parts", "language"),
    [
        ([], None),
        ([(None, 5.0)], None),
        ([("de", 2.0), ("en", 1.0), ("en", 2.0)], "en"),
        ([("de", 0.0), ("en", 0.0)], "de"),
        ([(UNDETERMINED, 9.0), ("en", 1.0)], "en"),
        ([(None, 9.0), (UNDETERMINED, 0.0)], UNDETERMINED),
    ],
)
def test_the_main_language_is_that_of_most_speech(
    parts: list[tuple[str | None, float]], language: str | None
) -> None:
    assert main_language(parts) == language
