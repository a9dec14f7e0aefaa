"""Which channels of a track hold what: the same sound, one room, or one person each.

All functions read interleaved samples (s16le, 16 kHz) from a file block by block, so hours take no more memory than
minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from speakr.media.base import SAMPLE_RATE

_BLOCK_SAMPLES: Final = 1 << 18
FRAME_SAMPLES: Final = SAMPLE_RATE // 20
"""Levels are those of 50 ms."""

SAME_CORRELATION: Final = 0.98
"""From this correlation on two channels are one, whatever their levels and signs."""
_INVERTED_CORRELATION: Final = -0.5
"""A channel that correlates with the mix of the louder ones below this is inverted."""
_LIVE_POWER: Final = 1e-3
"""A channel with less of the loudest one's power counts as empty: it is added, but makes the others no quieter."""
_CANCELLED_POWER: Final = 0.1
"""A sum with less of the loudest channel's power has cancelled itself out."""

_AUDIBLE_DB: Final = 12.0
"""A frame is active in a channel from this much above the channel's noise."""
_EXCLUSIVE_DB: Final = 12.0
"""A frame belongs to one channel if that is louder by this, compared with the usual levels of both."""
_MIN_EXCLUSIVE: Final = 0.35
_MIN_EXCLUSIVE_OF_EACH: Final = 0.04
_MAX_LEVEL_CORRELATION: Final = 0.5
_MIN_ACTIVE_FRAMES: Final = 10

Levels = npt.NDArray[np.float64]
Covariance = npt.NDArray[np.float64]


def blocks(path: Path, channels: int) -> Iterator[npt.NDArray[np.int16]]:
    """Yield the samples in order, shape (n, channels)."""
    with path.open("rb") as file:
        while True:
            samples = np.fromfile(file, "<i2", _BLOCK_SAMPLES // channels * channels)
            if not samples.size:
                return
            yield samples.reshape(-1, channels)


def covariance(path: Path, channels: int) -> Covariance:
    """Return the mean products of each two channels, shape (channels, channels); full scale is 1. Hum does not count."""
    total, count = np.zeros((channels, channels)), 0
    for block in blocks(path, channels):
        scaled = _without_hum(block).astype(np.float64)
        total += scaled.T @ scaled
        count += len(block)
    mean: Covariance = total / max(count, 1)
    return mean


def _without_hum(block: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
    """Return the differences of neighbours: a first-order high-pass, which leaves little of hum and no offset."""
    scaled = block.astype(np.float32) / np.float32(32768)
    return np.diff(scaled, axis=0, prepend=scaled[:1]).astype(np.float32, copy=False)


def are_same(products: Covariance) -> bool:
    """Return whether two channels carry one sound, or one of them carries none."""
    power = np.diag(products)
    if power.min() <= _LIVE_POWER**2 * power.max():
        return True
    return bool(abs(products[0, 1]) >= SAME_CORRELATION * np.sqrt(power[0] * power[1]))


def mixing_weights(products: Covariance) -> list[float]:
    """Return the weight of each channel in a mix of all.

    Inverted channels are turned round, from the loudest to the quietest. If the mix cancels itself out all the same,
    the loudest channel is taken alone.
    """
    power = np.diag(products)
    loudest = int(power.argmax())
    alone = np.zeros(len(power))
    alone[loudest] = 1.0
    weights = alone.copy()
    for channel in np.argsort(-power, kind="stable"):
        if channel == loudest:
            continue
        scale = np.sqrt(power[channel] * (weights @ products @ weights))
        shared = products[channel] @ weights
        weights[channel] = -1.0 if scale > 0 and shared < _INVERTED_CORRELATION * scale else 1.0
    live = max(1, int((power > _LIVE_POWER * power[loudest]).sum()))
    if weights @ products @ weights < _CANCELLED_POWER * power[loudest]:
        weights, live = alone, 1
    return [float(weight) for weight in weights / live]


def write_mix(path: Path, channels: int, weights: Sequence[float], target: Path) -> None:
    """Write the weighted sum of all channels as one channel."""
    factors = np.asarray(weights, np.float32)
    with target.open("wb") as file:
        for block in blocks(path, channels):
            mixed = np.clip(np.rint(block.astype(np.float32) @ factors), -32768, 32767)
            file.write(mixed.astype("<i2").tobytes())


def write_channels(path: Path, targets: Sequence[Path]) -> None:
    """Write each channel to a file of its own."""
    files = [target.open("wb") for target in targets]
    try:
        for block in blocks(path, len(targets)):
            for channel, file in enumerate(files):
                file.write(np.ascontiguousarray(block[:, channel]).tobytes())
    finally:
        for file in files:
            file.close()


def levels(path: Path, channels: int) -> Levels:
    """Return the levels of 50 ms each in dB of full scale, shape (frames, channels)."""
    found, rest = [], np.zeros((0, channels), np.int16)
    for block in blocks(path, channels):
        samples = np.concatenate([rest, block])
        whole = len(samples) // FRAME_SAMPLES * FRAME_SAMPLES
        frames = _without_hum(samples[:whole]).reshape(-1, FRAME_SAMPLES, channels)
        found.append((frames**2).mean(axis=1, dtype=np.float64))
        rest = samples[whole:]
    return 10 * np.log10(np.concatenate([np.zeros((0, channels)), *found]) + 1e-10)


def is_call(decibels: Levels) -> bool:
    """Return whether two channels hold one side of a conversation each.

    Then mostly one of them is active, now this one, now that one. In a room both microphones record everything: their levels rise and
    fall together. decibels: what `levels` returned, shape (frames, 2).
    """
    if len(decibels) < _MIN_ACTIVE_FRAMES:
        return False
    noise, usual = np.percentile(decibels, 10, axis=0), np.percentile(decibels, 95, axis=0)
    active = (decibels > np.minimum(noise + _AUDIBLE_DB, usual - _AUDIBLE_DB)).any(axis=1)
    if active.sum() < _MIN_ACTIVE_FRAMES:
        return False
    relative = np.maximum(decibels[active] - usual, -40.0)  # silence of which depth does not matter
    difference = relative[:, 0] - relative[:, 1]
    left, right = (difference > _EXCLUSIVE_DB).mean(), (difference < -_EXCLUSIVE_DB).mean()
    if left + right < _MIN_EXCLUSIVE or min(left, right) < _MIN_EXCLUSIVE_OF_EACH:
        return False
    return bool(np.corrcoef(relative.T)[0, 1] < _MAX_LEVEL_CORRELATION)
