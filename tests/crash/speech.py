"""Real speech of any length, made of the short clips beside the connector tests (their LICENCES.md applies)."""

from __future__ import annotations

import functools
import io
import wave
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

RATE = 16_000
CLIPS = Path(__file__).parent.parent / "connectors" / "data"

Samples = npt.NDArray[np.int16]


@functools.cache
def clip(name: str) -> Samples:
    """Decode one clip: int16, shape (n,), 16 kHz mono."""
    with av.open(str(CLIPS / f"{name}.flac")) as container:
        return np.concatenate([frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)])


def joined(names: Sequence[str], pause_seconds: float) -> bytes:
    """Return a WAV file of these clips, each followed by silence."""
    pause = np.zeros(round(pause_seconds * RATE), np.int16)
    samples = np.concatenate([part for name in names for part in (clip(name), pause)])
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()


LONG = (
    "cards_005", "librivox_0870", "goforward", "flite_slt_01",
    "librivox_0880", "cards_003", "librivox_0870", "cards_001",
)  # fmt: skip


@functools.cache
def long_recording() -> bytes:
    """Return 30 s of speech: six or more chunks for a provider that likes them short."""
    return joined(LONG, 0.8)


@functools.cache
def middling_recording() -> bytes:
    """Return 12 s of speech: four chunks."""
    return joined(["cards_005", "goforward", "librivox_0880", "cards_003"], 1.0)


@functools.cache
def short_recording() -> bytes:
    """Return 3 s of speech: one chunk."""
    return joined(["goforward"], 0.3)
