"""Mel spectrograms as the voice encoder was trained on them: linear power, not logarithms.

Source: M. Slaney, "Auditory Toolbox" (1998) for the scale of the bands: linear below 1 kHz, logarithmic above,
every band of the same area. Frames are centred, with zeros beyond both ends.
"""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
import numpy.typing as npt

from speakr.media.base import SAMPLE_RATE

FRAME_SAMPLES: Final = 400
"""25 ms"""
HOP_SAMPLES: Final = 160
"""10 ms"""
FRAMES_PER_SECOND: Final = SAMPLE_RATE // HOP_SAMPLES
BANDS: Final = 40

_HERTZ_PER_MEL: Final = 200 / 3
_LOGARITHMIC_FROM_HERTZ: Final = 1000.0
_LOGARITHMIC_FROM_MEL: Final = _LOGARITHMIC_FROM_HERTZ / _HERTZ_PER_MEL
_LOG_STEP: Final = np.log(6.4) / 27
_FRAMES_AT_ONCE: Final = 2048

Floats = npt.NDArray[np.float32]


def mel_spectrogram(samples: Floats) -> Floats:
    """Return the power in 40 bands every 10 ms, shape (1 + n // 160, 40).

    samples: shape (n,), full scale 1, 16 kHz.
    """
    padded = np.pad(samples.astype(np.float32, copy=False), FRAME_SAMPLES // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME_SAMPLES)[::HOP_SAMPLES]
    power = np.empty((len(frames), BANDS), np.float32)
    for first in range(0, len(frames), _FRAMES_AT_ONCE):
        spectrum = np.fft.rfft(frames[first : first + _FRAMES_AT_ONCE] * _window(), axis=1)
        energy = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
        power[first : first + _FRAMES_AT_ONCE] = energy @ _filters()
    return power


@functools.cache
def _window() -> Floats:
    """Return a periodic Hann window, shape (400,)."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME_SAMPLES) / FRAME_SAMPLES)).astype(np.float32)


@functools.cache
def _filters() -> Floats:
    """Return the triangles of the bands, shape (201 frequencies, 40 bands)."""
    top_mel = _LOGARITHMIC_FROM_MEL + np.log(SAMPLE_RATE / 2 / _LOGARITHMIC_FROM_HERTZ) / _LOG_STEP
    mels = np.linspace(0.0, top_mel, BANDS + 2)
    edges = np.where(
        mels >= _LOGARITHMIC_FROM_MEL,
        _LOGARITHMIC_FROM_HERTZ * np.exp(_LOG_STEP * (mels - _LOGARITHMIC_FROM_MEL)),
        _HERTZ_PER_MEL * mels,
    )
    frequencies = np.linspace(0, SAMPLE_RATE / 2, FRAME_SAMPLES // 2 + 1)
    widths = np.diff(edges)
    distances = edges[:, None] - frequencies[None]
    rising = -distances[:-2] / widths[:-1, None]
    falling = distances[2:] / widths[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    of_one_area: Floats = (triangles * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)
    return np.ascontiguousarray(of_one_area.T)
