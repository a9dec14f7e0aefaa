"""Words at cuts inside speech: how many are lost, doubled or changed at planted seams.

There are two tests. In scripted speech, an engine recognises every word but damages words at the edges of its audio; this
measures the repair of seams alone. In the speech of the corpus, clips of one speaker play without a pause, are cut at random
places, mostly inside words, and go to the real engine; each seam is compared with the transcript of the uncut speech.
"""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from evaluation.recordings import Entry, Samples, entries, samples_of
from evaluation.report import Figure, Table, at_most
from evaluation.scripted_speech import OVERLAP, SEAMS_EACH, talks
from evaluation.transcribing import Cost, plan_of, transcribe_pieces
from evaluation.word_errors import align, normalise
from evaluation.word_times import Aligner
from speakr.connectors.transcription.base import TranscriptionConnector
from speakr.connectors.transcription.words import spread_words
from speakr.domain.seams import join
from speakr.domain.transcript import Hints, Span, Word
from speakr.media.base import SAMPLE_RATE
from speakr.media.spans import MARGIN_SECONDS
from speakr.media.speech import find_speech

PLANTED = 200
SEED = 20261121
PIECE_SECONDS = (3.0, 5.0)
"""Seconds between two seams."""
TALK_SECONDS = 20.0
"""Approximate seconds of one talk; the server cuts longer stretches too."""
MAX_MISRECOGNIZED = 50.0
"""Percent of wrong words. Above it, an engine gives another text each time, with seams or without."""
NEAR_SECONDS = 1.0
"""Seconds from a seam, and from its overlap, beyond which a difference does not count for the seam."""


@dataclass
class Damage:
    """Errors at seams."""

    seams: int = 0
    lost: int = 0
    doubled: int = 0
    torn: int = 0

    def __iadd__(self, other: Damage) -> Self:
        self.seams += other.seams
        self.lost += other.lost
        self.doubled += other.doubled
        self.torn += other.torn
        return self


@dataclass(frozen=True)
class Talk:
    """Speech without a pause, and its words."""

    samples: Samples
    words: Sequence[Word]


def measure(corpus: Path, engine: TranscriptionConnector, planted: int = PLANTED) -> list[Table]:
    """Plant seams in scripted speech and in that of the corpus."""
    figures = [_scripted(planted)]
    if found := in_speech(corpus, engine, planted):
        note = f"{found.seams} seams, overlap {engine.capabilities.overlap_seconds:g} s; compared with the uncut transcript"
        figures += [
            Figure(f"words lost, engine {engine.name}", found.lost, "", at_most(0), 0, note),
            Figure(f"words doubled, engine {engine.name}", found.doubled, "", at_most(0), 0, note),
            Figure(f"words changed, engine {engine.name}", found.torn, "", None, 0, note),
        ]
    return [Table("Seams", figures)]


def _scripted(planted: int) -> Figure:
    wrong = seams = 0
    for spoken, chunks in talks(planted, SEED):
        said = [word.text for word in spoken]
        recognized = [word.text for segment in join(chunks, [OVERLAP] * SEAMS_EACH) for word in segment.words]
        wrong += align(said, recognized).errors.total
        seams += SEAMS_EACH
    return Figure("words lost or doubled, scripted", wrong, "", at_most(0), 0, f"{seams} seams")


def in_speech(corpus: Path, engine: TranscriptionConnector, planted: int) -> Damage | None:
    """Plant seams in the speech of a corpus; None if it has no speech."""
    speech = list(_talks(corpus))
    if not speech:
        return None
    chance = random.Random(SEED)  # noqa: S311 - the same each time
    uncut: dict[int, list[Word]] = {}
    damage = Damage()
    # Some talks are too short for a seam; the limit ends the loop for a corpus of such talks.
    for at in itertools.islice(itertools.cycle(range(len(speech))), 10 * planted):
        talk = speech[at]
        cuts = list(_cuts(chance, len(talk.samples) / SAMPLE_RATE))[: planted - damage.seams]
        if not cuts:
            continue
        if at not in uncut:
            uncut[at] = _transcribe(engine, talk, [])
        if align(_texts(talk.words), _texts(uncut[at])).errors.rate > MAX_MISRECOGNIZED:
            continue
        reach = NEAR_SECONDS + engine.capabilities.overlap_seconds
        damage += compare(talk, cuts, uncut[at], _transcribe(engine, talk, cuts), reach)
        if damage.seams >= planted:
            break
    return damage


def _cuts(chance: random.Random, seconds: float) -> Iterator[float]:
    at = chance.uniform(*PIECE_SECONDS)
    while at < seconds - PIECE_SECONDS[0] / 2:
        yield at
        at += chance.uniform(*PIECE_SECONDS)


def _transcribe(engine: TranscriptionConnector, talk: Talk, cuts: Sequence[float]) -> list[Word]:
    """Transcribe a talk that is cut at these times, as the server does."""
    seconds = len(talk.samples) / SAMPLE_RATE
    pieces = [[Span(start, end)] for start, end in itertools.pairwise([0.0, *cuts, seconds])]
    plan = plan_of(pieces, range(1, len(pieces)), engine.capabilities.overlap_seconds, seconds)
    recognized = transcribe_pieces(
        engine, talk.samples, pieces, plan, hints=Hints(), cost=Cost(audio=seconds)
    )
    return [replace(each, text=text) for each in recognized.words for text in normalise(each.text)]


def _texts(words: Sequence[Word]) -> list[str]:
    return [word.text for word in words]


def compare(
    talk: Talk, cuts: Sequence[float], uncut: Sequence[Word], cut: Sequence[Word], reach: float
) -> Damage:
    """Count the errors within `reach` seconds of the cuts that the uncut transcript does not have.

    A word is lost if the transcript has no word at its time. If there is another word, which may stand for two, it is changed.
    """
    said = _texts(talk.words)
    before, after = (_verdicts(said, _texts(recognized)) for recognized in (uncut, cut))
    damage = Damage(seams=len(cuts))
    for at, word in enumerate(talk.words):
        if not any(word.start - reach <= time <= word.end + reach for time in cuts):
            continue
        if before.recognized[at] == said[at]:
            # A word that is wrong without cuts too cannot be compared.
            is_gone = after.recognized[at] is None and not _is_covered(word, cut)
            damage.lost += is_gone
            damage.torn += not is_gone and after.recognized[at] != said[at]
        damage.doubled += max(0, after.doubled[at] - before.doubled[at])
    return damage


def _is_covered(said: Word, recognized: Sequence[Word]) -> bool:
    """Return True if found words cover at least half of the time of a spoken one."""
    overlaps = (min(said.end, word.end) - max(said.start, word.start) for word in recognized)
    return sum(overlap for overlap in overlaps if overlap > 0) >= (said.end - said.start) / 2


@dataclass(frozen=True)
class _Verdicts:
    """For each spoken word: the found word, and how often either is found again beside it."""

    recognized: Sequence[str | None]
    doubled: Sequence[int]


def _verdicts(said: Sequence[str], recognized: Sequence[str]) -> _Verdicts:
    found: list[str | None] = [None] * len(said)
    doubled = [0] * len(said)
    last = 0
    for mine, theirs in align(said, recognized).pairs:
        if mine is not None:
            last = mine
            found[mine] = None if theirs is None else recognized[theirs]
        elif theirs is not None and said:
            beside = {*recognized[max(0, theirs - 1) : theirs], *recognized[theirs + 1 : theirs + 2]}
            doubled[last] += recognized[theirs] in beside
    return _Verdicts(found, doubled)


def _talks(corpus: Path) -> Iterator[Talk]:
    """Yield the clips of each speaker, joined without pauses to talks of about twenty seconds."""
    aligner = Aligner()
    clips: dict[str, list[tuple[Samples, str]]] = defaultdict(list)
    for entry in entries(corpus):
        for who, clip, text in _clips(corpus, entry):
            clips[who].append((clip, text))
    for theirs in clips.values():
        sound: list[Samples] = []
        words: list[Word] = []
        at = 0.0
        for clip, text in theirs:
            bare = _without_silence(clip)
            words += [Word(w.text, at + w.start, at + w.end) for w in _placed(aligner, bare, text)]
            sound.append(bare)
            at += len(bare) / SAMPLE_RATE
            if at >= TALK_SECONDS:
                yield Talk(np.concatenate(sound), words)
                sound, words, at = [], [], 0.0
        if at >= PIECE_SECONDS[1]:
            yield Talk(np.concatenate(sound), words)


def _clips(corpus: Path, entry: Entry) -> Iterator[tuple[str, Samples, str]]:
    if entry["kind"] == "asr" and "speaker" in entry:
        yield entry["speaker"], samples_of(corpus, entry), entry["text"]
    elif entry["kind"] == "diarization+asr" and "turns" in entry:
        samples = samples_of(corpus, entry)
        for turn in entry["turns"]:
            cut = samples[round(turn["start"] * SAMPLE_RATE) : round(turn["end"] * SAMPLE_RATE)]
            yield turn["speaker"], cut, turn["text"]


def _without_silence(clip: Samples) -> Samples:
    spans = find_speech(clip)
    if not spans:
        return clip
    first, last = spans[0].start + MARGIN_SECONDS / 2, spans[-1].end - MARGIN_SECONDS / 2
    return clip[round(first * SAMPLE_RATE) : round(last * SAMPLE_RATE)]


def _placed(aligner: Aligner, clip: Samples, text: str) -> list[Word]:
    """Return the words of a clip with their times, estimated where they cannot be aligned."""
    said = normalise(text)
    aligned = aligner.align(clip, text)
    if len(aligned) != len(said):
        aligned = spread_words(said, [Span(0.0, len(clip) / SAMPLE_RATE)])
    return [Word(word, place.start, place.end) for word, place in zip(said, aligned, strict=True)]
