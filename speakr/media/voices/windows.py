"""Voice vectors along a recording: windows of 1.6 seconds inside its speech.

Each stretch of speech is normalised and cut into windows separately. A vector therefore depends only on its own
speech, and the memory only on the longest stretch.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from speakr.domain.transcript import Span
from speakr.media.base import SAMPLE_RATE
from speakr.media.voices.encoder import DIMENSIONS, WINDOW_FRAMES, VoiceEncoder, encoder
from speakr.media.voices.mel import FRAMES_PER_SECOND, HOP_SAMPLES, mel_spectrogram

LEVEL_DBFS: Final = -30.0
"""Quieter speech is raised to this level, as in the encoder's training; louder speech is left alone."""

_STEPS: Final = ((20 * 60.0, 0.4), (2 * 3600.0, 0.8), (float("inf"), 1.6))
"""Up to so many seconds of recording, a window every so many seconds."""

_FULL_SCALE: Final = np.float32(32768)
_SILENCE: Final = 1e-9

Samples = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Windows:
    """Voice vectors and the speech they were taken from.

    starts, ends: seconds of the recording, shape (n,); vectors: of length 1, shape (n, 256);
    spans: the stretches of speech, in order; counts: how many windows each of them has.
    """

    starts: npt.NDArray[np.float64]
    ends: npt.NDArray[np.float64]
    vectors: Floats
    spans: Sequence[Span]
    counts: Sequence[int]

    def __len__(self) -> int:
        """Tell how many there are."""
        return len(self.starts)

    @property
    def seconds(self) -> npt.NDArray[np.float64]:
        """How much speech each window stands for, where windows overlap the earlier one up to the later one."""
        if not len(self):
            return np.zeros(0)
        to_next = np.append(np.diff(self.starts), np.inf)
        seconds: npt.NDArray[np.float64] = np.minimum(self.ends - self.starts, to_next)
        return seconds

    @property
    def middles(self) -> npt.NDArray[np.float64]:
        """The middles of the windows, in seconds."""
        return (self.starts + self.ends) / 2


def step_for(duration_seconds: float) -> float:
    """Return how far apart windows start, in seconds: closer in short recordings, where each one counts."""
    return next(step for longest, step in _STEPS if duration_seconds <= longest)


def embed_spans(
    samples: Samples,
    start: float,
    spans: Sequence[Span],
    step_seconds: float,
    model: VoiceEncoder | None = None,
) -> Windows:
    """Return the windows inside stretches of speech.

    samples: shape (n,), 16 kHz mono, beginning at `start` seconds of the recording; spans: in seconds of it.
    """
    starts: list[float] = []
    ends: list[float] = []
    mels: list[Floats] = []
    counts: list[int] = []
    for span in spans:
        first = max(0, round((span.start - start) * SAMPLE_RATE))
        cut = samples[first : max(first, round((span.end - start) * SAMPLE_RATE))]
        mel = mel_spectrogram(_levelled(cut))
        frames = _frames(len(cut) // HOP_SAMPLES, round(step_seconds * FRAMES_PER_SECOND))
        counts.append(len(frames))
        for frame in frames:
            window = mel[frame : frame + WINDOW_FRAMES]
            starts.append(span.start + frame / FRAMES_PER_SECOND)
            ends.append(min(span.end, starts[-1] + WINDOW_FRAMES / FRAMES_PER_SECOND))
            mels.append(window)
    vectors = (model or encoder()).embed(_filled(window) for window in mels)
    return Windows(np.array(starts), np.array(ends), vectors, spans, counts)


def _frames(length: int, step: int) -> list[int]:
    """Return the first frames of the windows over so many frames of speech; the last one ends where it does."""
    if length <= 0:
        return []
    last = length - WINDOW_FRAMES
    if last <= 0:
        return [0]
    frames = list(range(0, last + 1, step))
    if last - frames[-1] > step // 2:
        frames.append(last)
    return frames


def _filled(window: Floats) -> Floats:
    """Repeat speech shorter than a window until it fills one."""
    return window if len(window) == WINDOW_FRAMES else np.resize(window, (WINDOW_FRAMES, window.shape[1]))


def _levelled(cut: Samples) -> Floats:
    signal = cut / _FULL_SCALE
    level = (
        20 * np.log10(np.sqrt(np.mean(np.square(signal, dtype=np.float64))) + _SILENCE) if len(cut) else 0.0
    )
    gain = 10 ** (max(0.0, LEVEL_DBFS - level) / 20)
    return (signal * np.float32(gain)).astype(np.float32)


def to_json(windows: Windows) -> dict[str, Any]:
    """Return windows as they are kept in a chunk's result: vectors as half floats, half a kilobyte each."""
    return {
        "starts": [round(float(start), 3) for start in windows.starts],
        "ends": [round(float(end), 3) for end in windows.ends],
        "spans": [
            [span.start, span.end, count] for span, count in zip(windows.spans, windows.counts, strict=True)
        ],
        "vectors": base64.b64encode(windows.vectors.astype("<f2").tobytes()).decode("ascii"),
    }


def from_json(kept: Sequence[Mapping[str, Any]]) -> Windows:
    """Return the windows of all chunks, in order."""
    vectors = [
        np.frombuffer(base64.b64decode(part["vectors"]), "<f2").reshape(-1, DIMENSIONS).astype(np.float32)
        for part in kept
    ]
    return Windows(
        np.array([start for part in kept for start in part["starts"]], np.float64),
        np.array([end for part in kept for end in part["ends"]], np.float64),
        np.concatenate([np.zeros((0, DIMENSIONS), np.float32), *vectors]),
        [Span(start, end) for part in kept for start, end, _ in part["spans"]],
        [count for part in kept for _, _, count in part["spans"]],
    )
