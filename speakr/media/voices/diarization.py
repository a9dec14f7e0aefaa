"""Derive turns from the voice vectors along a recording."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from speakr.domain.transcript import Span, numbered_label
from speakr.domain.turns import SpeakerTurn
from speakr.media.voices.clustering import Labels, centroids, cluster
from speakr.media.voices.segmentation import Overlap
from speakr.media.voices.windows import Windows

FRAME_SECONDS: Final = 0.1
SWITCH_COST: Final = 0.32
"""What a change of speakers must win, in sums of cosines over 0.1 s frames: about a third of a second of being sure."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class DetectedVoice:
    """One speaker's voice in a recording: the mean of the vectors, and the seconds of speech behind it."""

    vector: Floats
    seconds: float


@dataclass(frozen=True, slots=True)
class Diarization:
    """The turns and overlaps, and the voices by label."""

    turns: Sequence[SpeakerTurn]
    """In order; at each time the turn of the speaker who is most likely."""
    overlaps: Sequence[SpeakerTurn]
    """Where two people speak at once: a turn of each of them."""
    voices: Mapping[str, DetectedVoice]


def diarize(windows: Windows, *, least: int | None = None, most: int | None = None) -> Diarization:
    """Return the turns and voices of a recording. Labels follow the order of appearance.

    least, most: bounds on the number of speakers, if known.
    """
    if len(windows) == 0:
        return Diarization((), (), {})
    seconds = windows.seconds
    groups = cluster(windows.vectors, seconds, least=least, most=most)
    spoken = list(_turns(windows, centroids(windows.vectors, groups)))
    order: dict[int, str] = {}
    for _, _, voice in spoken:
        order.setdefault(voice, numbered_label(len(order)))
    turns = [SpeakerTurn(start, end, order[voice]) for start, end, voice in spoken]
    overlaps = list(_overlapping(windows.overlaps, turns)) if len(order) > 1 else []
    return Diarization(turns, overlaps, _voices(windows, groups, seconds, order))


def _voices(
    windows: Windows, groups: Labels, seconds: npt.NDArray[np.float64], order: Mapping[int, str]
) -> dict[str, DetectedVoice]:
    means = centroids(windows.vectors, groups, seconds)
    spoken = np.bincount(groups, weights=seconds)
    return {
        label: DetectedVoice(means[voice], round(float(spoken[voice]), 3)) for voice, label in order.items()
    }


def _overlapping(overlaps: Sequence[Overlap], turns: Sequence[SpeakerTurn]) -> Iterator[SpeakerTurn]:
    """Yield the turns of both speakers of each overlap: the two who speak where each of them is alone.

    An overlap is left out if one of the two speaks nowhere alone, or if both turn out to be the same person.
    """
    starts = [turn.start for turn in turns]
    for overlap in overlaps:
        one, other = (_seconds_of(alone, turns, starts) for alone in (overlap.one, overlap.other))
        pairs = [(one[a] * other[b], a, b) for a in one for b in other if a != b]
        if pairs:
            _, *pair = max(pairs)
            for speaker in pair:
                yield SpeakerTurn(overlap.start, overlap.end, speaker)


def _seconds_of(
    spans: Sequence[Span], turns: Sequence[SpeakerTurn], starts: Sequence[float]
) -> dict[str, float]:
    """Return how long each speaker speaks within spans."""
    spoken: dict[str, float] = {}
    for span in spans:
        for turn in turns[max(0, bisect_right(starts, span.start) - 1) :]:
            if turn.start >= span.end:
                break
            shared = min(turn.end, span.end) - max(turn.start, span.start)
            if shared > 0:
                spoken[turn.speaker] = spoken.get(turn.speaker, 0.0) + shared
    return spoken


def _turns(windows: Windows, means: Floats) -> Iterator[tuple[float, float, int]]:
    """Yield the turns inside each stretch of speech; neighbours have different speakers."""
    similarity = windows.vectors @ means.T
    middles = windows.middles
    first = 0
    for span, count in zip(windows.spans, windows.counts, strict=True):
        last = first + count
        if count:
            yield from _turns_within(span, middles[first:last], similarity[first:last])
        first = last


def _turns_within(
    span: Span, middles: npt.NDArray[np.float64], similarity: Floats
) -> Iterator[tuple[float, float, int]]:
    """middles: of the windows, shape (n,); similarity: of each to each voice, shape (n, voices)."""
    if len(middles) == 1 or similarity.shape[1] == 1:
        yield span.start, span.end, int(similarity.sum(axis=0).argmax())
        return
    frames = max(1, round(span.duration / FRAME_SECONDS))
    times = span.start + (np.arange(frames) + 0.5) * FRAME_SECONDS
    scores = np.stack([np.interp(times, middles, column) for column in similarity.T], axis=1)
    path = best_path(scores, SWITCH_COST)
    changes = [0, *(np.flatnonzero(np.diff(path)) + 1).tolist()]
    starts = [span.start + change * FRAME_SECONDS for change in changes]
    for start, end, change in zip(starts, [*starts[1:], span.end], changes, strict=True):
        yield start, end, int(path[change])


def best_path(scores: npt.NDArray[np.float64], switch_cost: float) -> Labels:
    """Return the voice of each frame, so that the sum of scores less the cost of all changes is largest.

    scores: shape (frames, voices). Source: A. Viterbi, IEEE Trans. Inf. Theory 13 (1967).
    """
    frames, voices = scores.shape
    stay = np.arange(voices)
    before = np.empty((frames, voices), np.intp)
    best = scores[0].astype(np.float64)
    for frame in range(1, frames):
        leader = int(best.argmax())
        switched = best[leader] - switch_cost
        before[frame] = np.where(best >= switched, stay, leader)
        best = np.maximum(best, switched) + scores[frame]
    path = np.empty(frames, np.intp)
    path[-1] = best.argmax()
    for frame in range(frames - 1, 0, -1):
        path[frame - 1] = before[frame, path[frame]]
    return path
