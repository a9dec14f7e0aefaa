"""The level of the speech in a recording above that of everything else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from speakr.domain.transcript import Span
from speakr.media.base import SAMPLE_RATE

MIN_SECONDS: Final = 0.5
"""Of speech, and of the rest; with less of either there is nothing to compare."""
MAX_DB: Final = 100.0
_BLOCK: Final = SAMPLE_RATE * 20
_SILENCE: Final = 1.0
"""Mean square of an almost silent signal: one step of 16 bits."""


def signal_to_noise_db(samples: npt.NDArray[np.int16], speech: Sequence[Span]) -> float | None:
    """Return the signal-to-noise ratio in decibels; None if there is too little speech or too little else.

    samples: shape (n,), 16 kHz mono; speech: in seconds, in order. The noise in the speech counts as that in the rest.
    """
    edges = [(round(span.start * SAMPLE_RATE), round(span.end * SAMPLE_RATE)) for span in speech]
    loud, spoken = 0.0, 0
    for first, last in edges:
        energy, count = _energy(samples[max(0, first) : last])
        loud, spoken = loud + energy, spoken + count
    total, length = _energy(samples)
    rest = length - spoken
    if min(spoken, rest) < MIN_SECONDS * SAMPLE_RATE:
        return None
    noise = max((total - loud) / rest, _SILENCE)
    signal = max(loud / spoken - noise, _SILENCE)
    return round(min(MAX_DB, max(-MAX_DB, 10 * math.log10(signal / noise))), 1)


def _energy(samples: npt.NDArray[np.int16]) -> tuple[float, int]:
    """Return the sum of squares, block by block, because a mapped file may be large."""
    total = 0.0
    for at in range(0, len(samples), _BLOCK):
        block = samples[at : at + _BLOCK].astype(np.float32)
        total += float(np.dot(block, block))
    return total, len(samples)
