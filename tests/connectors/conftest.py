"""Clips with references, chunks made of them, and a provider with scripted responses."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from evaluation.recordings import OWN, entries
from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk
from speakr.connectors.transcription.embedded import EmbeddedConnector
from speakr.domain.transcript import Span
from speakr.settings import Settings
from tests.connectors.fake_provider import FakeProvider

DATA = Path(__file__).parent / "data"
PAUSE_SECONDS = 1.0

Samples = npt.NDArray[np.int16]
MakeChunk = Callable[..., AudioChunk]


def read_clip(name: str) -> Samples:
    with av.open(str(DATA / f"{name}.flac")) as container:
        return np.concatenate([frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)])


@pytest.fixture(scope="session")
def references() -> dict[str, str]:
    return {entry["id"]: entry["text"] for entry in entries(OWN) if "text" in entry}


@pytest.fixture(scope="session")
def make_chunk() -> MakeChunk:
    """Return a maker of chunks: clips with pauses between, one span over each clip."""

    def make(*names: str, start: float = 0.0) -> AudioChunk:
        pieces: list[Samples] = []
        spans: list[Span] = []
        position = 0
        for name in names:
            clip = read_clip(name)
            spans.append(Span(start + position / SAMPLE_RATE, start + (position + len(clip)) / SAMPLE_RATE))
            pieces += [clip, np.zeros(int(PAUSE_SECONDS * SAMPLE_RATE), dtype=np.int16)]
            position += len(clip) + len(pieces[-1])
        return AudioChunk(np.concatenate(pieces), start, tuple(spans))

    return make


@pytest.fixture(scope="session")
def embedded() -> EmbeddedConnector:
    """One loaded decoder for all tests: that is also how a work horse uses it."""
    return EmbeddedConnector()


@pytest.fixture(scope="session")
def whisper_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one real Whisper model, `parrot`."""
    pytest.importorskip("faster_whisper", reason="faster-whisper is not installed")
    from tests.connectors.tiny_whisper import build

    return build(tmp_path_factory.mktemp("whisper") / "parrot").parent


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    fake = FakeProvider()
    yield fake
    fake.close()


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def settings_with() -> Callable[..., Settings]:
    def make(**fields: object) -> Settings:
        return Settings(secret_key="a secret key for tests, long enough to pass", **fields)

    return make
