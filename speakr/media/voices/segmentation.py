"""Find where people speak, and where two speak at once, in one chunk of audio.

The network looks at windows of 10 seconds, each of which numbers its up to three speakers separately. Windows overlap
by half; a frame has as many speakers as the windows over it find on average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from speakr.domain.transcript import Span
from speakr.media.base import SAMPLE_RATE
from speakr.media.voices.networks import VoiceNetworks

WINDOW_SECONDS: Final = 10.0
STEP_SECONDS: Final = 5.0
FRAME_SECONDS: Final = 270 / SAMPLE_RATE
MIN_PAUSE_SECONDS: Final = 0.1
"""Speech on both sides of a shorter pause is one region."""
MIN_REGION_SECONDS: Final = 0.2

_FIRST_FRAME: Final = 495 / SAMPLE_RATE - FRAME_SECONDS / 2
"""Where the first frame of a window begins, in seconds."""
_MIN_SAMPLES: Final = SAMPLE_RATE
_SPEAKERS_OF_CLASS: Final = np.array(
    [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]], bool
)

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two people speak at once. `one` and `other` are the nearest stretches in which each of them speaks alone."""

    start: float
    end: float
    one: Sequence[Span]
    other: Sequence[Span]


@dataclass(frozen=True, slots=True)
class Segmentation:
    """Regions of speech and overlaps, in order, in seconds of the recording."""

    regions: Sequence[Span]
    overlaps: Sequence[Overlap]


@dataclass(frozen=True, slots=True)
class _Window:
    """The speakers of one window. first: its first frame in the chunk; is_active: shape (frames, 3)."""

    first: int
    is_active: Mask


def segment(samples: Floats, start: float, spans: Sequence[Span], networks: VoiceNetworks) -> Segmentation:
    """Return where people speak between the beginning of the first span and the end of the last.

    samples: shape (n,), full scale 1, 16 kHz, beginning at `start` seconds of the recording; spans: speech that is
    known already.
    """
    if not spans or not len(samples):
        return Segmentation((), ())
    windows = _windows(samples, networks)
    frames = max(round(len(samples) / SAMPLE_RATE / FRAME_SECONDS), 1)
    counts = _counts(windows, frames)
    is_speech = counts >= 1
    for span in spans:
        is_speech[_frame(span.start - start) : _frame(span.end - start)] = True
    first, last = spans[0].start, spans[-1].end
    return Segmentation(
        _regions(is_speech, start, first, last),
        [
            overlap
            for begin, end in runs(counts > 1)
            if (overlap := _overlap(begin, end, start, windows)) and first <= overlap.start < last
        ],
    )


def _windows(samples: Floats, networks: VoiceNetworks) -> list[_Window]:
    if len(samples) < _MIN_SAMPLES:
        samples = np.pad(samples, (0, _MIN_SAMPLES - len(samples)))
    length, step = (round(seconds * SAMPLE_RATE) for seconds in (WINDOW_SECONDS, STEP_SECONDS))
    firsts = list(range(0, max(len(samples) - length, 0) + 1, step))
    if firsts[-1] + length < len(samples):
        firsts.append(len(samples) - length)
    classes = networks.segment(np.stack([samples[first : first + length] for first in firsts]))
    return [
        _Window(_frame(first / SAMPLE_RATE + _FIRST_FRAME), _SPEAKERS_OF_CLASS[found.argmax(axis=1)])
        for first, found in zip(firsts, classes, strict=True)
    ]


def _counts(windows: Sequence[_Window], frames: int) -> npt.NDArray[np.intp]:
    """Return the number of speakers in each frame, shape (frames,)."""
    speakers, seen = np.zeros(frames), np.zeros(frames)
    for window in windows:
        here = window.is_active.sum(axis=1)[: max(0, frames - window.first)]
        speakers[window.first : window.first + len(here)] += here
        seen[window.first : window.first + len(here)] += 1
    # Half a speaker counts as one: what one window of two finds is more often missed by the other than invented.
    counts: npt.NDArray[np.intp] = np.floor(speakers / np.maximum(seen, 1) + 0.5).astype(np.intp)
    return counts


def _regions(is_speech: Mask, start: float, first: float, last: float) -> list[Span]:
    for begin, end in runs(~is_speech):
        if (end - begin) * FRAME_SECONDS < MIN_PAUSE_SECONDS:
            is_speech[begin:end] = True
    spans = [
        (max(first, start + begin * FRAME_SECONDS), min(last, start + end * FRAME_SECONDS))
        for begin, end in runs(is_speech)
    ]
    return [Span(begin, end) for begin, end in spans if end - begin >= MIN_REGION_SECONDS]


def _overlap(begin: int, end: int, start: float, windows: Sequence[_Window]) -> Overlap | None:
    """Return who speaks in an overlap, by the window in whose middle it is. begin, end: frames of the chunk."""
    middle = (begin + end) / 2
    window = min(windows, key=lambda each: abs(each.first + len(each.is_active) / 2 - middle))
    shares = window.is_active[max(0, begin - window.first) : end - window.first].sum(axis=0)
    one, other = (int(speaker) for speaker in np.argsort(-shares, kind="stable")[:2])
    if not shares[other]:
        return None  # the window over it finds no two speakers here
    is_alone = window.is_active.sum(axis=1) == 1
    alone = [
        [
            Span(*(start + (window.first + edge) * FRAME_SECONDS for edge in run))
            for run in runs(window.is_active[:, who] & is_alone)
        ]
        for who in (one, other)
    ]
    return Overlap(start + begin * FRAME_SECONDS, start + end * FRAME_SECONDS, *alone)


def _frame(seconds: float) -> int:
    return max(0, round(seconds / FRAME_SECONDS))


def runs(mask: Mask) -> list[tuple[int, int]]:
    """Return the first index of each run of true values, and the one after its last."""
    steps = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    return list(zip(np.flatnonzero(steps == 1).tolist(), np.flatnonzero(steps == -1).tolist(), strict=True))
