"""Turns of speakers, and the assignment of words to them."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from speakr.domain.transcript import Segment, Word


@dataclass(frozen=True, slots=True)
class SpeakerTurn:
    """A stretch of speech by one speaker; start and end in seconds of the recording."""

    start: float
    end: float
    speaker: str


def give_speakers(segments: Sequence[Segment], turns: Sequence[SpeakerTurn]) -> list[Segment]:
    """Return segments with their speakers, cut where the speaker changes between two words.

    turns: in order, not overlapping. A word belongs to the speaker with most of its time; between turns, to the nearest one. A segment whose words cannot be found in its text stays whole.
    """
    if not turns:
        return list(segments)
    clock = _Clock(turns)
    return [part for segment in segments for part in _cut(segment, clock)]


class _Clock:
    """Finds the speaker at a time."""

    def __init__(self, turns: Sequence[SpeakerTurn]) -> None:
        self._turns = turns
        self._starts = [turn.start for turn in turns]

    def speaker(self, start: float, end: float) -> str:
        """Return the speaker with most of this time, or the nearest one if there is none."""
        first = max(0, bisect_right(self._starts, start) - 1)
        spoken: dict[str, float] = {}
        for turn in self._turns[first:]:
            if turn.start >= end:
                break
            shared = min(turn.end, end) - max(turn.start, start)
            if shared > 0:
                spoken[turn.speaker] = spoken.get(turn.speaker, 0.0) + shared
        if spoken:
            return max(spoken, key=lambda speaker: spoken[speaker])
        near = self._turns[first : first + 2]
        middle = (start + end) / 2
        return min(near, key=lambda turn: max(turn.start - middle, middle - turn.end)).speaker


def _cut(segment: Segment, clock: _Clock) -> Iterator[Segment]:
    speakers = [clock.speaker(word.start, word.end) for word in segment.words]
    if len(set(speakers)) <= 1:
        yield replace(segment, speaker=speakers[0] if speakers else clock.speaker(segment.start, segment.end))
        return
    places = _places(segment)
    if places is None:
        yield replace(segment, speaker=clock.speaker(segment.start, segment.end))
        return
    firsts = [at for at in range(len(speakers)) if at == 0 or speakers[at] != speakers[at - 1]]
    for first, last in itertools.pairwise([*firsts, len(speakers)]):
        words = segment.words[first:last]
        text = segment.text[places[first] if first else 0 : places[last] if last < len(speakers) else None]
        yield Segment(
            start=words[0].start if first else segment.start,
            end=words[-1].end if last < len(speakers) else segment.end,
            text=text.strip(),
            speaker=speakers[first],
            confidence=_confidence(words, segment.confidence),
            words=words,
        )


def _places(segment: Segment) -> list[int] | None:
    """Return where each word begins in the text, whatever its case; None when one is not there."""
    text = segment.text.lower()
    if len(text) != len(segment.text):  # some letters are longer in lower case
        text = segment.text
    places = []
    at = 0
    for word in segment.words:
        written = word.text.strip().lower()
        at = text.find(written, at)
        if at < 0:
            return None
        places.append(at)
        at += len(written)
    return places


def _confidence(words: Sequence[Word], otherwise: float | None) -> float | None:
    """Average the probabilities of words, weighted by duration."""
    known = [
        (word.probability, max(word.end - word.start, 0.001))
        for word in words
        if word.probability is not None
    ]
    if not known:
        return otherwise
    return sum(probability * seconds for probability, seconds in known) / sum(seconds for _, seconds in known)
