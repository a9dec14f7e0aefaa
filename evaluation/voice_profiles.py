"""Measure the recognition of voices: the equal error rate, and the errors at the server's thresholds.

python -m evaluation.voice_profiles --corpus FOLDER

Utterances are the recordings of one `speaker` and the turns of conversations, from two seconds on. Each is compared
with a profile made of up to five other utterances of its speaker, and with the profiles of all other speakers. At the
equal error rate, as many speakers are taken for another one as are not recognised. Identification does what the server
does with a voice: it takes the nearest of all profiles (here of up to 30 seconds, without the utterance itself) if it
is near enough and no other one is nearly as near. Each utterance is tried twice: with its speaker's profile among the
others, and without it, when no profile may match.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evaluation.recordings import entries, samples_of, turns_of
from evaluation.report import Figure, Table, at_least, at_most
from speakr.domain.transcript import Span
from speakr.media.base import SAMPLE_RATE
from speakr.media.speech import find_speech
from speakr.media.voices.networks import load
from speakr.media.voices.vectors import normalised
from speakr.media.voices.windows import embed_spans
from speakr.model_files.store import shared_folder
from speakr.services.speech.voice_profiles import ACCEPTED, ACCEPTED_MARGIN, SUGGESTED, TRUSTED_SECONDS

MIN_SECONDS = 2.0
MAX_ENROLLED = 5
ENROLMENT_SECONDS = 30.0
GOAL_EQUAL_ERROR_RATE = 1.0
"""Percent, as are the next constants."""
GOAL_RIGHT, GOAL_FALSE = 95.0, 2.0

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Utterance:
    """The voice vector of an utterance, and its seconds of speech."""

    vector: Floats
    seconds: float


Said = Mapping[str, Sequence[Utterance]]
"""The utterances of each speaker."""


def read(corpus: Path) -> Said:
    """Return the utterances of all speakers in a corpus, without far-field recordings."""
    said: dict[str, list[Utterance]] = defaultdict(list)
    for who, utterance in _utterances(corpus):
        said[who].append(utterance)
    return said


def _utterances(corpus: Path) -> Iterator[tuple[str, Utterance]]:
    for entry in entries(corpus):
        turns = [] if entry["kind"] == "diarization" else turns_of(corpus, entry)
        if not turns and "speaker" not in entry:
            continue
        samples = samples_of(corpus, entry)
        duration = len(samples) / SAMPLE_RATE
        for start, end, who in turns or [(0.0, duration, entry["speaker"])]:
            cut = samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
            spans: list[Span] = find_speech(cut)
            if sum(span.duration for span in spans) < MIN_SECONDS:
                continue
            recognized = embed_spans(cut, 0.0, spans, 0.8, load(shared_folder()))
            total = (recognized.vectors * recognized.seconds[:, None]).sum(axis=0).astype(np.float32)
            yield who, Utterance(normalised(total), float(recognized.seconds.sum()))


def scores(said: Said) -> tuple[Floats, Floats]:
    """Return the similarity of utterances to their speakers' profiles, and to those of others."""
    same, other = [], []
    for who, theirs in said.items():
        for at, utterance in enumerate(theirs):
            rest = [*theirs[:at], *theirs[at + 1 :]]
            if rest:
                same.append(float(utterance.vector @ _profile(rest[:MAX_ENROLLED])))
            other += [
                float(utterance.vector @ _profile(people[:MAX_ENROLLED]))
                for name, people in said.items()
                if name != who
            ]
    return np.array(same, np.float32), np.array(other, np.float32)


def _profile(enrolled: Sequence[Utterance]) -> Floats:
    return normalised(np.mean([each.vector for each in enrolled], axis=0))


@dataclass
class Identified:
    """Counts of speakers identified correctly, speakers taken for another, and unknown ones taken for a known speaker."""

    known: int = 0
    mistaken: int = 0
    tries: int = 0
    unknowns_taken: int = 0
    unknowns: int = 0


def identify(said: Said) -> Identified:
    """Try every utterance against all profiles, and once more without its speaker's profile."""
    found = Identified()
    whole = {who: profile for who, theirs in said.items() if (profile := _enrolled(theirs)) is not None}
    for who, theirs in said.items():
        others = {name: profile for name, profile in whole.items() if name != who}
        for at, utterance in enumerate(theirs):
            found.unknowns += bool(others)
            found.unknowns_taken += _taken_for(utterance, others) is not None
            own = _enrolled([*theirs[:at], *theirs[at + 1 :]])
            if own is None:
                continue
            found.tries += 1
            taken_for = _taken_for(utterance, {**others, who: own})
            found.known += taken_for == who
            found.mistaken += taken_for not in {who, None}
    return found


def _enrolled(theirs: Sequence[Utterance]) -> Floats | None:
    """Return the profile of the first 30 seconds; None if there is too little speech."""
    chosen: list[Utterance] = []
    for utterance in theirs:
        if sum(each.seconds for each in chosen) < ENROLMENT_SECONDS:
            chosen.append(utterance)
    seconds = sum(each.seconds for each in chosen)
    if seconds < TRUSTED_SECONDS:
        return None
    return normalised(np.sum([each.vector * each.seconds for each in chosen], axis=0, dtype=np.float32))


def _taken_for(utterance: Utterance, profiles: Mapping[str, Floats]) -> str | None:
    """Decide as the server does."""
    similarity = sorted(
        ((float(utterance.vector @ profile), name) for name, profile in profiles.items()), reverse=True
    )
    if not similarity or similarity[0][0] < ACCEPTED:
        return None
    is_sure = len(similarity) == 1 or similarity[0][0] - similarity[1][0] >= ACCEPTED_MARGIN
    return similarity[0][1] if is_sure else None


def equal_error_rate(same: Floats, other: Floats) -> tuple[float, float]:
    """Return the rate in percent, and the threshold at which it is reached."""
    thresholds = np.unique(np.concatenate([same, other]))
    missed = np.array([(same < limit).mean() for limit in thresholds])
    mistaken = np.array([(other >= limit).mean() for limit in thresholds])
    best = int(np.abs(missed - mistaken).argmin())
    return 100 * float(missed[best] + mistaken[best]) / 2, float(thresholds[best])


def tables(corpus: Path) -> list[Table]:
    """Return the figures of a corpus."""
    said = read(corpus)
    same, other = scores(said)
    title = "Voice profiles"
    if not len(same) or not len(other):
        return [Table(title, absent="The corpus has too few speakers, or too little of them.")]
    rate, threshold = equal_error_rate(same, other)
    figures = [
        Figure(
            "equal error rate",
            rate,
            " %",
            at_most(GOAL_EQUAL_ERROR_RATE),
            note=f"{len(said)} speakers, {len(same)} pairs of one, {len(other)} of two; at {threshold:.2f}",
        )
    ]
    for name, limit in (("suggested", SUGGESTED), ("accepted", ACCEPTED)):
        mistaken, missed = 100 * (other >= limit).mean(), 100 * (same < limit).mean()
        note = f"from {limit:.2f} on, whichever other profile is near"
        figures.append(Figure(f"{name}: others", float(mistaken), " %", note=note))
        figures.append(Figure(f"{name}: not known again", float(missed), " %", note=note))
    return [Table(title, figures + _identification(identify(said)))]


def _identification(found: Identified) -> list[Figure]:
    if not found.tries or not found.unknowns:
        return []
    return [
        Figure(
            "identified rightly",
            100 * found.known / found.tries,
            " %",
            at_least(GOAL_RIGHT),
            note=f"{found.tries} utterances against profiles of up to {ENROLMENT_SECONDS:.0f} s",
        ),
        Figure(
            "identified as another person",
            100 * (found.mistaken + found.unknowns_taken) / (found.tries + found.unknowns),
            " %",
            at_most(GOAL_FALSE),
            note=f"{found.unknowns} unknown speakers among them",
        ),
    ]


def main() -> int:
    """Measure; return 1 if a goal is missed."""
    arguments = argparse.ArgumentParser(description="Measure how well voices are recognised.")
    arguments.add_argument("--corpus", type=Path, required=True)
    found = tables(arguments.parse_args().corpus)
    for table in found:
        table.show()
    return 1 if any(table.missed for table in found) else 0


if __name__ == "__main__":
    sys.exit(main())
