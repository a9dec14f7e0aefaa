"""Repair cuts inside speech: merge the words of two chunks that cover the same seconds.

Both neighbours of such a cut are transcribed a little beyond it. The words of the shared seconds are aligned (longest
common subsequence, similar words at similar times). The text switches from one transcription to the other at the
aligned word nearest to the cut, because both are least reliable at the edges of their audio, where words are torn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from speakr.domain.transcript import Segment, Word

_MAX_SHIFT_SECONDS = 0.6
"""Seconds that two transcriptions may differ about the time of a word."""
_WORD_IS_WORTH = 1.0
_SHIFT_COSTS = 0.4
_ODD = ".,;:!?…\"'()[]-“”‘’。？！、，"  # noqa: RUF001 - full-width punctuation


@dataclass(frozen=True, slots=True)
class RecognizedChunk:
    """One chunk's segments in order; `start` and `end` are where it was cut, before it was widened, in seconds."""

    start: float
    end: float
    segments: Sequence[Segment]
    times_estimated: bool = False


def join(chunks: Sequence[RecognizedChunk], overlap_seconds: Sequence[float]) -> list[Segment]:
    """Return the segments of all chunks in order, each seam repaired; see `repair`."""
    return [segment for chunk in repair(chunks, overlap_seconds) for segment in chunk]


def repair(chunks: Sequence[RecognizedChunk], overlap_seconds: Sequence[float]) -> list[list[Segment]]:
    """Return the segments of each chunk, in order, with each seam repaired.

    overlap_seconds: for each chunk but the last, the seconds of audio that it and the next one share; 0 for a cut at
    a pause, where nothing was transcribed twice.
    """
    repaired: list[list[Segment]] = []
    for at, chunk in enumerate(chunks):
        overlap = overlap_seconds[at - 1] if at else 0.0
        segments = list(chunk.segments)
        if overlap > 0:
            guessed = chunk.times_estimated or chunks[at - 1].times_estimated
            repaired[-1], segments = _repair(repaired[-1], segments, chunk.start, overlap, guessed=guessed)
        repaired.append(segments)
    return repaired


def _repair(
    left: Sequence[Segment], right: Sequence[Segment], seam: float, overlap: float, *, guessed: bool
) -> tuple[list[Segment], list[Segment]]:
    """Remove the shared words from one of both; seam: the time of the cut in seconds."""
    reach = overlap * (2.0 if guessed else 1.0)
    shift = reach if guessed else _MAX_SHIFT_SECONDS
    ours = [word for segment in left for word in segment.words if word.end > seam - reach]
    theirs = [word for segment in right for word in segment.words if word.start < seam + reach]
    pairs = _align(ours, theirs, shift)
    if pairs:
        mine, yours = min(
            pairs, key=lambda pair: abs(_middle(ours[pair[0]]) - seam) + abs(_middle(theirs[pair[1]]) - seam)
        )
        dropped_left, dropped_right = set(map(id, ours[mine + 1 :])), set(map(id, theirs[: yours + 1]))
    elif not ours or not theirs:  # only one of them has words there
        return list(left), list(right)
    else:
        dropped_left = {id(word) for word in ours if _middle(word) >= seam}
        dropped_right = {id(word) for word in theirs if _middle(word) < seam}
    return _without(left, dropped_left), _without(right, dropped_right)


def _align(ours: Sequence[Word], theirs: Sequence[Word], shift: float) -> list[tuple[int, int]]:
    """Return the indices of the words that are the same, by dynamic programming over both lists."""
    best = [[0.0] * (len(theirs) + 1) for _ in range(len(ours) + 1)]
    for i in range(len(ours) - 1, -1, -1):
        for j in range(len(theirs) - 1, -1, -1):
            same = _worth(ours[i], theirs[j], shift)
            best[i][j] = max(best[i + 1][j], best[i][j + 1], same + best[i + 1][j + 1] if same else 0.0)
    pairs, i, j = [], 0, 0
    while i < len(ours) and j < len(theirs):
        same = _worth(ours[i], theirs[j], shift)
        if same and best[i][j] == same + best[i + 1][j + 1]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs


def _worth(one: Word, other: Word, shift: float) -> float:
    """Return the agreement of two words, 0 if they differ."""
    apart = abs(_middle(one) - _middle(other))
    if apart > shift or _bare(one.text) != _bare(other.text):
        return 0.0
    return _WORD_IS_WORTH - _SHIFT_COSTS * apart / shift


def _bare(text: str) -> str:
    return text.lower().strip(_ODD) or text


def _middle(word: Word) -> float:
    return (word.start + word.end) / 2


def _without(segments: Sequence[Segment], dropped: set[int]) -> list[Segment]:
    """Return the segments without some of their words; a segment without words is dropped."""
    kept = []
    for segment in segments:
        places = [at for at, word in enumerate(segment.words) if id(word) not in dropped]
        if len(places) == len(segment.words):
            kept.append(segment)
        elif places:
            tokens = segment.text.split()  # with its punctuation, which words may lack
            if len(tokens) != len(segment.words):
                tokens = [word.text for word in segment.words]
            words = [segment.words[at] for at in places]
            kept.append(
                replace(
                    segment,
                    start=max(segment.start, words[0].start) if places[0] else segment.start,
                    end=words[-1].end if places[-1] + 1 < len(segment.words) else segment.end,
                    text=" ".join(tokens[at] for at in places),
                    words=tuple(words),
                )
            )
    return kept
