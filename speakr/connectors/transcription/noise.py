"""Remove noise from audio for the embedded engine, if there is so much noise that it helps.

RNNoise gains much on noisy audio (pink noise 10 dB below the speech: a third of the wrong words) and loses a little
on clean audio, so it is used only below a limit. It runs at 48 kHz, in frames of 10 ms; the library is the one
inside the package `pyrnnoise`, called directly: the package's own wrapper rounds and drops the last frame.

Source: J.-M. Valin, "A hybrid DSP/deep learning approach to real-time full-band speech enhancement", 2018.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import structlog

from speakr.connectors.transcription.base import SAMPLE_RATE
from speakr.domain.transcript import Span

logger = structlog.get_logger(__name__)

NOISY_BELOW_DB: Final = 14.0
"""Plain recordings read 13 to 36 and more; with white noise 15 dB below the speech 11 to 15, at 10 dB 7 to 11. Taking
noise out where there is little costs one word in sixty, leaving that white noise in costs one in three."""
CLEANED_SHARE: Final = 0.9
"""The rest is the sound as it was: a little of the noise covers what its removal leaves behind, which the recogniser takes
for words. Measured at 10 dB of pink noise and of hum: 20 words of 72 wrong, with nothing left in 29, untreated 36."""
LEVEL_FRAME_SAMPLES: Final = 320
FLOOR_PERCENTILE: Final = 10.0

FRAME_SAMPLES: Final = 480
DELAY_SAMPLES: Final = 960
"""What comes out belongs to what went in so much earlier, at 48 kHz."""
RATIO: Final = 3
_TAPS: Final = 97
_QUIETEST: Final = 1e-3

_LIBRARIES: Final = ("librnnoise.so", "librnnoise.dylib", "rnnoise.dll")

Samples = npt.NDArray[np.int16]
Signal = npt.NDArray[np.float32]


def signal_to_noise_db(samples: Samples, spans: Sequence[Span], start: float) -> float:
    """Estimate in dB by how much speech is louder than the quietest moments.

    samples: 16 kHz; spans: where there is speech, in the recording's time; start: of the samples in it.
    Infinite when there is too little to tell.
    """
    count = samples.size // LEVEL_FRAME_SAMPLES
    if count == 0:
        return float("inf")
    frames = samples[: count * LEVEL_FRAME_SAMPLES].reshape(count, LEVEL_FRAME_SAMPLES).astype(np.float32)
    levels = 10 * np.log10(np.mean(frames**2, axis=1) + _QUIETEST)
    times = start + (np.arange(count) + 0.5) * LEVEL_FRAME_SAMPLES / SAMPLE_RATE
    is_speech = np.zeros(count, dtype=bool)
    for span in spans:
        is_speech |= (times >= span.start) & (times < span.end)
    if not is_speech.any():
        return float("inf")
    return float(np.median(levels[is_speech]) - np.percentile(levels, FLOOR_PERCENTILE))


def denoise(samples: Samples) -> Samples:
    """Return the samples with hardly any noise, of the same length and at the same places.

    Without the library they are returned as they are.
    """
    library = _library()
    if library is None:
        return samples
    wide = _upsampled(samples)
    frames = -(-(wide.size + DELAY_SAMPLES) // FRAME_SAMPLES)
    padded = np.zeros(frames * FRAME_SAMPLES, np.float32)
    padded[: wide.size] = wide
    state = library.rnnoise_create(None)
    try:
        for frame in padded.reshape(frames, FRAME_SAMPLES):
            place = frame.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
            library.rnnoise_process_frame(state, place, place)
    finally:
        library.rnnoise_destroy(state)
    clean = _downsampled(padded[DELAY_SAMPLES : DELAY_SAMPLES + wide.size])
    mixed = CLEANED_SHARE * clean + (1 - CLEANED_SHARE) * samples
    return np.clip(np.rint(mixed), -32768, 32767).astype(np.int16)


@functools.cache
def _library() -> Any:
    package = importlib.util.find_spec("pyrnnoise")
    folders = package.submodule_search_locations if package is not None else None
    for name in _LIBRARIES if folders else ():
        path = Path((folders or [""])[0]) / name
        if path.is_file():
            try:
                library = ctypes.CDLL(str(path))
            except OSError:
                break
            library.rnnoise_create.restype = ctypes.c_void_p
            library.rnnoise_create.argtypes = [ctypes.c_void_p]
            library.rnnoise_destroy.restype = None
            library.rnnoise_destroy.argtypes = [ctypes.c_void_p]
            library.rnnoise_process_frame.restype = ctypes.c_float
            floats = ctypes.POINTER(ctypes.c_float)
            library.rnnoise_process_frame.argtypes = [ctypes.c_void_p, floats, floats]
            return library
    logger.warning("noise_is_left_in", help="requirements-models.txt brings the library that takes it out")
    return None


@functools.cache
def _low_pass() -> Signal:
    """Return a windowed sinc that lets pass what 16 kHz can hold, shape (97,), sum 1."""
    at = np.arange(_TAPS) - (_TAPS - 1) / 2
    taps = np.sinc(at / RATIO * 0.95) * np.blackman(_TAPS)
    normed: Signal = (taps / taps.sum()).astype(np.float32)
    return normed


def _upsampled(samples: Samples) -> Signal:
    stuffed = np.zeros(samples.size * RATIO, np.float32)
    stuffed[::RATIO] = samples
    return np.convolve(stuffed, _low_pass() * RATIO, mode="same").astype(np.float32)


def _downsampled(signal: Signal) -> Signal:
    return np.convolve(signal, _low_pass(), mode="same")[::RATIO].astype(np.float32)
