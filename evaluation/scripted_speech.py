"""Scripted speech without pauses, and an engine for windows of it that shifts times and damages words at the edges."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence

from speakr.domain.seams import RecognizedChunk
from speakr.domain.transcript import Segment, Word

VOCABULARY = "the a we you and of plan budget Tuesday report number no no, very good? is it that".split()  # noqa: SIM905 - reads as a sentence
OVERLAP = 2.0
"""Seconds that neighbouring windows share."""
SEAMS_EACH = 4
REPEATED, MISSED = 0.1, 0.5
"""Share of repeated words, and share of words at an edge that are missing."""


def speak(chance: random.Random, seconds: float) -> list[Word]:
    """Return words without pauses between them; some are repeated."""
    words: list[Word] = []
    time = 0.0
    while time < seconds:
        text = words[-1].text if words and chance.random() < REPEATED else chance.choice(VOCABULARY)
        length = chance.uniform(0.12, 0.5)
        words.append(Word(text, time, time + length))
        time += length
    return words


def recognize(chance: random.Random, spoken: Sequence[Word], start: float, end: float) -> list[Segment]:
    """Transcribe a window: times are slightly off, a word at the edge is damaged or missing."""
    recognized: list[Word] = []
    for word in spoken:
        inside = min(word.end, end) - max(word.start, start)
        if inside <= 0:
            continue
        if inside < word.end - word.start:
            if chance.random() < MISSED:
                continue
            word = Word(word.text[: max(1, len(word.text) // 2)] + "~", word.start, word.end)  # noqa: PLW2901
        off = chance.uniform(-0.06, 0.06)
        recognized.append(Word(word.text, max(start, word.start + off), min(end, word.end + off)))
    size = chance.randint(4, 30)
    groups = [recognized[at : at + size] for at in range(0, len(recognized), size)]
    return [
        Segment(group[0].start, group[-1].end, " ".join(word.text for word in group), words=group)
        for group in groups
    ]


def talks(seams: int, seed: int) -> Iterator[tuple[list[Word], list[RecognizedChunk]]]:
    """Yield talks with four seams each, at least `count` seams in total: the spoken words, and the transcript of each chunk."""
    chance = random.Random(seed)  # noqa: S311 - the same each time
    for _ in range(-(-seams // SEAMS_EACH)):
        cuts = [0.0]
        for _ in range(SEAMS_EACH):
            cuts.append(cuts[-1] + chance.uniform(8.0, 15.0))
        cuts.append(cuts[-1] + 10.0)
        spoken = speak(chance, cuts[-1])
        chunks = []
        for at, (start, end) in enumerate(itertools.pairwise(cuts)):
            first = start - (OVERLAP if at else 0.0)
            last = spoken[-1].end if at == SEAMS_EACH else end + OVERLAP
            chunks.append(RecognizedChunk(start, end, recognize(chance, spoken, first, last)))
        yield spoken, chunks
