"""Logarithmic mel spectrograms as Kaldi computes them, which the voice model was trained on.

Source: D. Povey et al., "The Kaldi Speech Recognition Toolkit" (2011): frames of 25 ms every 10 ms, pre-emphasis 0.97,
Povey window, 80 triangular bands from 20 Hz on, without dither.
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
BANDS: Final = 80

_FFT_SIZE: Final = 512
_LOWEST_HERTZ: Final = 20.0
_PRE_EMPHASIS: Final = np.float32(0.97)
_WINDOW_EXPONENT: Final = 0.85
_FULL_SCALE: Final = np.float32(32768)
_MIN_POWER: Final = np.float32(1.1920929e-07)

Floats = npt.NDArray[np.float32]


def log_mel(samples: Floats) -> Floats:
    """Return the logarithm of the power in 80 bands every 10 ms, shape (1 + (n - 400) // 160, 80).

    samples: shape (n,), full scale 1, 16 kHz. Fewer than 400 give no frame.
    """
    if len(samples) < FRAME_SAMPLES:
        return np.zeros((0, BANDS), np.float32)
    scaled = samples.astype(np.float32, copy=False) * _FULL_SCALE
    frames = np.lib.stride_tricks.sliding_window_view(scaled, FRAME_SAMPLES)[::HOP_SAMPLES]
    centred = frames - frames.mean(axis=1, keepdims=True)
    emphasised = centred.copy()
    emphasised[:, 1:] -= _PRE_EMPHASIS * centred[:, :-1]
    emphasised[:, 0] -= _PRE_EMPHASIS * centred[:, 0]
    spectrum = np.fft.rfft(emphasised * _window(), _FFT_SIZE, axis=1)[:, : _FFT_SIZE // 2]
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    logarithms: Floats = np.log(np.maximum(power @ _filters(), _MIN_POWER))
    return logarithms


@functools.cache
def _window() -> Floats:
    """Return Kaldi's Povey window, shape (400,)."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME_SAMPLES) / (FRAME_SAMPLES - 1))
    return (hann**_WINDOW_EXPONENT).astype(np.float32)


@functools.cache
def _filters() -> Floats:
    """Return the triangles of the bands, shape (256 frequencies, 80 bands)."""
    lowest, highest = (1127 * np.log1p(hertz / 700) for hertz in (_LOWEST_HERTZ, SAMPLE_RATE / 2))
    step = (highest - lowest) / (BANDS + 1)
    mels = 1127 * np.log1p(np.arange(_FFT_SIZE // 2) * (SAMPLE_RATE / _FFT_SIZE) / 700)
    rising = (mels[:, None] - (lowest + step * np.arange(BANDS))) / step
    triangles: Floats = np.maximum(0, np.minimum(rising, 2 - rising)).astype(np.float32)
    return triangles
