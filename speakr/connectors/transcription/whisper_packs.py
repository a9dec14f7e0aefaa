"""Pack the speech of a chunk for Whisper, which pads whatever it gets to windows of 30 s.

An encoder pass over a window costs the same whether it is full or nearly empty. So stretches of speech are put one
after the other up to 29.5 s, with at most 0.4 s of the pause between two. Times in a pack are mapped back to the
recording.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk
from speakr.domain.transcript import Span

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

PACK_SECONDS: Final = 29.5
PAD_SECONDS: Final = 0.2
"""Of the pause that stays at each end of a stretch of speech: voice detection cuts soft consonants."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of speech with a little of the pauses around it: the samples of the chunk from `first` to `last`."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Pack:
    """Stretches of speech, one after the other.

    samples: float32, shape (n,), full scale 1; pieces: where they come from; offset: the chunk's place in the recording.
    """

    samples: npt.NDArray[np.float32]
    pieces: Sequence[Piece]
    offset: float
    starts: Sequence[int]
    """The first sample of each piece in the pack."""

    def halves(self) -> Sequence[Pack]:
        """Return two packs of half of the pieces each, none if there is only one piece."""
        middle = len(self.pieces) // 2
        if not middle:
            return ()
        at = self.starts[middle]
        rest = tuple(start - at for start in self.starts[middle:])
        return (
            Pack(self.samples[:at], self.pieces[:middle], self.offset, self.starts[:middle]),
            Pack(self.samples[at:], self.pieces[middle:], self.offset, rest),
        )

    def piece_at(self, seconds: float) -> int:
        """Return the position of the piece that is played at a time of the pack."""
        return max(0, bisect_right(self.starts, seconds * SAMPLE_RATE) - 1)

    def place(self, seconds: float, piece: int) -> float:
        """Return the time in the recording of a time of the pack, kept within a piece."""
        source = self.pieces[piece]
        sample = source.first + seconds * SAMPLE_RATE - self.starts[piece]
        return self.offset + min(max(sample, source.first), source.last) / SAMPLE_RATE


def pack(chunk: AudioChunk, longest: float = PACK_SECONDS) -> list[Pack]:
    """Pack the spans of a chunk in order, into as few packs as fit.

    A span longer than `longest` seconds is a pack by itself; Whisper takes it window by window.
    """
    groups: list[list[Piece]] = []
    length = 0
    for piece in _pieces(chunk):
        size = piece.last - piece.first
        if groups and length + size <= longest * SAMPLE_RATE:
            groups[-1].append(piece)
            length += size
        else:
            groups.append([piece])
            length = size
    return [_pack(chunk, group) for group in groups]


def _pieces(chunk: AudioChunk) -> Iterator[Piece]:
    """Yield the spans, widened into the pauses around them; neighbours never share a sample."""
    end = chunk.start + chunk.samples.size / SAMPLE_RATE
    spans = sorted(chunk.spans, key=lambda span: span.start)
    middles = [max(left.start, (left.end + right.start) / 2) for left, right in pairwise(spans)]
    for span, lower, upper in zip(spans, [chunk.start, *middles], [*middles, end], strict=True):
        edges = (max(span.start - PAD_SECONDS, lower), min(span.end + PAD_SECONDS, upper))
        first, last = (round((edge - chunk.start) * SAMPLE_RATE) for edge in edges)
        first, last = max(0, first), min(last, chunk.samples.size)
        if last > first:
            yield Piece(first, last)


def _pack(chunk: AudioChunk, pieces: Sequence[Piece]) -> Pack:
    import numpy as np  # noqa: PLC0415 - the web process only reads the capabilities of engines

    starts = [0]
    for piece in pieces[:-1]:
        starts.append(starts[-1] + piece.last - piece.first)
    joined = np.concatenate([chunk.samples[piece.first : piece.last] for piece in pieces])
    return Pack(joined.astype(np.float32) / np.float32(32768), tuple(pieces), chunk.start, tuple(starts))


def is_in_speech(spans: Sequence[Span], start: float, end: float) -> bool:
    """Return whether a stretch of the recording touches one of the spans."""
    return any(span.start <= end and start <= span.end for span in spans)
