"""Voice vectors along a recording: windows of 1.6 seconds inside its regions of speech.

Regions and vectors depend only on the samples of their chunk, and the memory only on the longest chunk.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from speakr.domain.transcript import Span
from speakr.media.base import SAMPLE_RATE
from speakr.media.voices.features import FRAME_SAMPLES, HOP_SAMPLES, log_mel
from speakr.media.voices.networks import VoiceNetworks
from speakr.media.voices.segmentation import Overlap, segment
from speakr.media.voices.vectors import DIMENSIONS
from speakr.media.voices.weights import MODEL_VERSION

FRAMES_PER_SECOND: Final = SAMPLE_RATE // HOP_SAMPLES
WINDOW_FRAMES: Final = 160

CLOSEST_STEP_SECONDS: Final = 0.8
"""Distance of windows where each one counts."""
_STEPS: Final = ((2 * 3600.0, CLOSEST_STEP_SECONDS), (float("inf"), 1.6))
"""Up to so many seconds of recording, a window every so many seconds."""

_FULL_SCALE: Final = np.float32(32768)

Samples = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Windows:
    """Voice vectors and the speech they were taken from.

    starts, ends: seconds of the recording, shape (n,); vectors: of length 1, shape (n, 192);
    spans: the regions of speech, in order; counts: how many windows each of them has; overlaps: where two people speak.
    """

    starts: npt.NDArray[np.float64]
    ends: npt.NDArray[np.float64]
    vectors: Floats
    spans: Sequence[Span]
    counts: Sequence[int]
    overlaps: Sequence[Overlap] = ()

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
    samples: Samples, start: float, spans: Sequence[Span], step_seconds: float, networks: VoiceNetworks
) -> Windows:
    """Return the windows inside the speech of a chunk.

    samples: shape (n,), 16 kHz mono, beginning at `start` seconds of the recording; spans: where speech was found, in
    seconds of it. Between spans, speech that only the segmentation finds counts as well.
    """
    found = segment((samples / _FULL_SCALE).astype(np.float32), start, spans, networks)
    made = embed_regions(samples, start, found.regions, step_seconds, networks)
    return replace(made, overlaps=found.overlaps)


def embed_regions(
    samples: Samples, start: float, regions: Sequence[Span], step_seconds: float, networks: VoiceNetworks
) -> Windows:
    """Return the windows inside given regions of a chunk, each of which one person speaks."""
    signal = (samples / _FULL_SCALE).astype(np.float32)
    starts: list[float] = []
    features: list[Floats] = []
    counts: list[int] = []
    ends: list[float] = []
    for region in regions:
        first = max(0, round((region.start - start) * SAMPLE_RATE))
        mel = log_mel(_long_enough(signal[first : round((region.end - start) * SAMPLE_RATE)]))
        frames = _frames(len(mel), round(step_seconds * FRAMES_PER_SECOND))
        counts.append(len(frames))
        for frame in frames:
            starts.append(region.start + frame / FRAMES_PER_SECOND)
            ends.append(min(region.end, starts[-1] + WINDOW_FRAMES / FRAMES_PER_SECOND))
            features.append(_filled(mel[frame : frame + WINDOW_FRAMES]))
    vectors = networks.embed(features)
    return Windows(np.array(starts), np.array(ends), vectors, regions, counts)


def _long_enough(cut: Floats) -> Floats:
    """Pad audio to one frame."""
    return np.pad(cut, (0, max(0, FRAME_SAMPLES - len(cut))))


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


def to_json(windows: Windows) -> dict[str, Any]:
    """Return windows as they are kept in a chunk's result: vectors as half floats, half a kilobyte each."""
    return {
        "model": MODEL_VERSION,
        "starts": [_rounded(start) for start in windows.starts],
        "ends": [_rounded(end) for end in windows.ends],
        "spans": [
            [_rounded(span.start), _rounded(span.end), count]
            for span, count in zip(windows.spans, windows.counts, strict=True)
        ],
        "vectors": base64.b64encode(windows.vectors.astype("<f2").tobytes()).decode("ascii"),
        "overlaps": [
            [_rounded(each.start), _rounded(each.end), _edges(each.one), _edges(each.other)]
            for each in windows.overlaps
        ],
    }


def _rounded(seconds: float) -> float:
    return round(float(seconds), 3)


def _edges(spans: Sequence[Span]) -> list[list[float]]:
    return [[_rounded(span.start), _rounded(span.end)] for span in spans]


def _spans(edges: Sequence[Sequence[float]]) -> list[Span]:
    return [Span(start, end) for start, end in edges]


def is_current(part: Mapping[str, Any]) -> bool:
    """Tell whether the models of this version made a stored part."""
    return part.get("model") == MODEL_VERSION


def from_json(kept: Sequence[Mapping[str, Any]]) -> Windows:
    """Return the windows of all chunks, in order. Parts that an earlier version made are left out."""
    kept = [part for part in kept if is_current(part)]
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
        [
            Overlap(start, end, _spans(one), _spans(other))
            for part in kept
            for start, end, one, other in part["overlaps"]
        ],
    )
