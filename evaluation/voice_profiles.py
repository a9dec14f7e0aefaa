"""Measure how well voices are recognised: the equal error rate, and what the thresholds in use let through.

    python -m evaluation.voice_profiles --corpus FOLDER

Utterances are the recordings of one `speaker` and the turns of conversations, from two seconds on. Each is compared with a
profile of its speaker made of up to five others of theirs, and with the profiles of everybody else. The equal error rate is where
as many people are taken for somebody else as are not known again.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evaluation.recordings import entries, read_audio, turns_of
from speakr.domain.transcript import Span
from speakr.media.base import SAMPLE_RATE
from speakr.media.speech import find_speech
from speakr.media.voices.encoder import normalised
from speakr.media.voices.windows import embed_spans
from speakr.services.voice_profiles import ACCEPTED, SUGGESTED

SHORTEST_SECONDS = 2.0
MOST_ENROLLED = 5
GOAL_EQUAL_ERROR_RATE = 5.0

Floats = npt.NDArray[np.float32]


def utterances(corpus: Path) -> Iterator[tuple[str, Floats]]:
    """Yield speakers and the vectors of what they say; far-field recordings are left out."""
    for entry in entries(corpus):
        turns = [] if entry["kind"] == "diarization" else turns_of(corpus, entry)
        if not turns and "speaker" not in entry:
            continue
        samples = read_audio(corpus / entry["file"])
        duration = len(samples) / SAMPLE_RATE
        for start, end, who in turns or [(0.0, duration, entry["speaker"])]:
            cut = samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
            spans: list[Span] = find_speech(cut)
            if sum(span.duration for span in spans) < SHORTEST_SECONDS:
                continue
            heard = embed_spans(cut, 0.0, spans, 0.4)
            yield who, normalised((heard.vectors * heard.seconds[:, None]).sum(axis=0).astype(np.float32))


def scores(said: dict[str, list[Floats]]) -> tuple[Floats, Floats]:
    """Return the likeness of utterances to their speakers' profiles, and to those of others."""
    same, other = [], []
    for who, theirs in said.items():
        for at, vector in enumerate(theirs):
            rest = theirs[:at] + theirs[at + 1 :]
            if rest:
                same.append(float(vector @ _profile(rest)))
            other += [float(vector @ _profile(people)) for name, people in said.items() if name != who]
    return np.array(same, np.float32), np.array(other, np.float32)


def _profile(vectors: list[Floats]) -> Floats:
    return normalised(np.mean(vectors[:MOST_ENROLLED], axis=0))


def equal_error_rate(same: Floats, other: Floats) -> tuple[float, float]:
    """Return the rate in percent, and the threshold at which it is reached."""
    thresholds = np.unique(np.concatenate([same, other]))
    missed = np.array([(same < limit).mean() for limit in thresholds])
    mistaken = np.array([(other >= limit).mean() for limit in thresholds])
    best = int(np.abs(missed - mistaken).argmin())
    return 100 * float(missed[best] + mistaken[best]) / 2, float(thresholds[best])


def main() -> int:
    """Measure; 1 when the goal is missed."""
    arguments = argparse.ArgumentParser(description="Measure how well voices are recognised.")
    arguments.add_argument("--corpus", type=Path, required=True)
    said: dict[str, list[Floats]] = defaultdict(list)
    for who, vector in utterances(arguments.parse_args().corpus):
        said[who].append(vector)
    same, other = scores(said)
    rate, threshold = equal_error_rate(same, other)
    print(f"{len(said)} speakers, {len(same)} pairs of one, {len(other)} of two")
    print(f"EER {rate:.1f} % at {threshold:.2f} (goal {GOAL_EQUAL_ERROR_RATE})")
    for name, limit in (("suggested", SUGGESTED), ("accepted", ACCEPTED)):
        mistaken, missed = 100 * (other >= limit).mean(), 100 * (same < limit).mean()
        print(f"{name:9} from {limit:.2f}: mistaken {mistaken:.1f} %, missed {missed:.1f} %")
    return 0 if rate <= GOAL_EQUAL_ERROR_RATE else 1


if __name__ == "__main__":
    sys.exit(main())
