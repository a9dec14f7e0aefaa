"""Find the same sound in two decoded sources: copies of tracks, mixes of others, and the far side in a near microphone.

Speech is compared second by second: two recordings of one sound correlate at some small delay, two people do not.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from speakr.domain.transcript import Span
from speakr.media.base import SAMPLE_RATE

PIECE_SECONDS: Final = 1.0
SAMPLED_SECONDS: Final = 40
"""Seconds at equal distances that are compared first: if none of them is in the other source, no other is looked for."""
MAX_DELAY_SECONDS: Final = 0.3
SAME_CORRELATION: Final = 0.35
"""Measured on seconds of speech: at most 0.22 between different people, 0.7 (median) with a voice under another one of
equal loudness, 0.26 to 0.66 between two microphones in a simulated room."""
MAX_UNSHARED_SECONDS: Final = 1.0
MAX_UNSHARED: Final = 0.02
"""A source is contained in others if no more of its speech than the greater of these is not in them."""
MIN_ATTENUATION: Final = 0.7
"""Cross-talk has at most this part of the amplitude that the voice has in its own channel."""

Sound = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Voice:
    """A decoded source (s16le, 16 kHz, mono) and where speech is in it. Sources of one `group` are never copies."""

    path: Path
    spans: Sequence[Span]
    group: int


@dataclass(frozen=True, slots=True)
class _Piece:
    """A second of speech of one source: its length, and in which other sources it is too."""

    seconds: float
    found_in: frozenset[int]


def without_copies(voices: Sequence[Voice], on_compared: Callable[[], None] = lambda: None) -> dict[int, int]:
    """Return the numbers of sources whose speech is also in others, each with that of one of these.

    Of two equal sources the later one goes, of a mix and all its parts the mix, and of a mix and some of its parts
    these parts. In doubt a source stays: a text that is there twice is better than none.

    on_compared: called after each comparison of two sources; what it raises ends the search.
    """
    search = _Search([list(_pieces(voices, at, on_compared)) for at in range(len(voices))])
    search.drop_equals()
    search.drop_mixes()
    search.drop_parts()
    return search.copies


class _Search:
    """Finds copies. `pieces`: the seconds of speech of each source."""

    def __init__(self, pieces: Sequence[Sequence[_Piece]]) -> None:
        self.copies: dict[int, int] = {}
        self._pieces = pieces

    def drop_equals(self) -> None:
        """Drop one of two sources that contain each other: the one of which less is missing in the other."""
        for first, second in itertools.combinations(range(len(self._pieces)), 2):
            if self.copies.keys() & {first, second}:
                continue
            if self._is_in(first, {second}) and self._is_in(second, {first}):
                is_first_less = self._unshared(first, {second}) < self._unshared(second, {first})
                copy, origin = (first, second) if is_first_less else (second, first)
                self.copies[copy] = origin

    def drop_mixes(self) -> None:
        """Drop sources that are in all others together, and in none of these alone."""
        for mix in self._left():
            others = set(self._left()) - {mix}
            if self._is_in(mix, others) and not any(self._is_in(mix, {other}) for other in others):
                self.copies[mix] = min(others, key=lambda other: (self._unshared(mix, {other}), other))

    def drop_parts(self) -> None:
        """Drop sources that are in another one."""
        for part in reversed(self._left()):
            origin = next((each for each in self._left() if each != part and self._is_in(part, {each})), None)
            if origin is not None:
                self.copies[part] = origin

    def _left(self) -> list[int]:
        return [at for at in range(len(self._pieces)) if at not in self.copies]

    def _unshared(self, at: int, others: set[int]) -> float:
        """Return how many seconds of a source are in none of the others."""
        return sum(piece.seconds for piece in self._pieces[at] if not piece.found_in & others)

    def _is_in(self, at: int, others: set[int]) -> bool:
        total = sum(piece.seconds for piece in self._pieces[at])
        most = max(min(MAX_UNSHARED_SECONDS, total / 4), MAX_UNSHARED * total)
        return total > 0 and self._unshared(at, others) <= most


def without_cross_talk(own: Voice, other: Voice) -> list[Span]:
    """Return the spans of a source in which not only the other source is audible, more quietly than there."""
    return [
        span
        for span in own.spans
        if not all(
            is_same and gain < MIN_ATTENUATION
            for is_same, gain in _compare(own.path, _seconds_in([span]), other.path)
        )
    ]


def _pieces(voices: Sequence[Voice], at: int, on_compared: Callable[[], None]) -> Iterator[_Piece]:
    """Yield the seconds of speech of a source, each with the sources of other groups in which it is too."""
    own = voices[at]
    seconds = _seconds_in(own.spans)
    found: dict[int, list[bool]] = {}
    for other, voice in enumerate(voices):
        if voice.group != own.group:
            found[other] = _are_in(own.path, seconds, voice.path)
            on_compared()
    for number, second in enumerate(seconds):
        yield _Piece(second.duration, frozenset(other for other, each in found.items() if each[number]))


def _are_in(own: Path, seconds: Sequence[Span], other: Path) -> list[bool]:
    """Return for each second of a source whether another one has it too; none if none of a sample is there."""
    sample = seconds[:: max(1, len(seconds) // SAMPLED_SECONDS)]
    if len(sample) < len(seconds) and not any(is_same for is_same, _ in _compare(own, sample, other)):
        return [False] * len(seconds)
    return [is_same for is_same, _ in _compare(own, seconds, other)]


def _seconds_in(spans: Sequence[Span]) -> list[Span]:
    """Cut spans into pieces of about `PIECE_SECONDS`."""
    cut: list[Span] = []
    for span in spans:
        edges = np.linspace(span.start, span.end, max(1, round(span.duration / PIECE_SECONDS)) + 1).tolist()
        cut += [Span(start, end) for start, end in itertools.pairwise(edges)]
    return cut


def _compare(own: Path, seconds: Sequence[Span], other: Path) -> Iterator[tuple[bool, float]]:
    """Yield for each second of speech whether the other source has it too, and how much quieter it is here."""
    for second in seconds:
        here = _read(own, second.start, second.end)
        there = _read(other, second.start - MAX_DELAY_SECONDS, second.end + MAX_DELAY_SECONDS)
        correlation, gain = _correlate(here, there)
        yield correlation >= SAME_CORRELATION, gain


def _read(path: Path, start: float, end: float) -> Sound:
    """Return a stretch of a source without its hum; zeros where the source has nothing."""
    first, last = round(start * SAMPLE_RATE), round(end * SAMPLE_RATE)
    samples = np.zeros(last - first, np.float32)
    skipped = max(0, -first)
    found = np.fromfile(path, "<i2", max(0, last - max(0, first)), offset=2 * max(0, first))
    samples[skipped : skipped + found.size] = found
    return np.diff(samples, prepend=samples[:1])


def _correlate(here: Sound, there: Sound) -> tuple[float, float]:
    """Return the greatest correlation at any delay, whatever its sign, and the ratio of both amplitudes there."""
    power = float(here @ here)
    length = here.size
    energies = np.concatenate([[0.0], np.cumsum(there.astype(np.float64) ** 2)])
    windows = energies[length:] - energies[:-length]
    if power <= 0 or windows.max(initial=0.0) <= 0:
        return 0.0, 1.0
    size = 1 << (there.size + length - 1).bit_length()
    spectrum = np.fft.rfft(there, size) * np.conj(np.fft.rfft(here, size))
    products = np.abs(np.fft.irfft(spectrum, size)[: windows.size])
    # Windows that are nearly silent correlate with anything.
    scale = np.sqrt(power * np.maximum(windows, 1e-3 * windows.max()))
    best = int((products / scale).argmax())
    return float(products[best] / scale[best]), float(np.sqrt(power / max(windows[best], 1e-9)))
