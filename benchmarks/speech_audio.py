"""Recordings of real speech for benchmarks."""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence

import numpy as np

from benchmarks.stack import ROOT
from benchmarks.transcription import Samples, read_audio

RATE = 16_000


def clips() -> list[Samples]:
    """Return short pieces of real speech: int16, 16 kHz mono. tests/connectors/data/LICENCES.md has their origin."""
    return [read_audio(path) for path in sorted((ROOT / "tests" / "connectors" / "data").glob("*.flac"))]


def wav(samples: Samples) -> bytes:
    """Return a WAV file of int16 samples at 16 kHz."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()


def with_pauses(pieces: Sequence[Samples], pause_seconds: float) -> Samples:
    """Return pieces one after the other, each followed by silence."""
    pause = np.zeros(round(pause_seconds * RATE), np.int16)
    return np.concatenate([part for piece in pieces for part in (piece, pause)])
