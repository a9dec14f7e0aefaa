"""Measure the embedded diarization: error rate, numbers of speakers, and what it costs.

    python -m evaluation.diarization --corpus FOLDER [--long]

Of each recording with known turns (`evaluation/recordings.py`) speech is found, cut into chunks and embedded as a
worker does, then clustered. Errors are counted with a collar of 0.25 s, overlapping speech included. Far-field
meetings (kind "diarization") are told apart from close microphones, for which the goals are. Recordings of one `speaker`
are to stay one. Time is CPU time on one thread. `--long` plays the conversations over and over for an hour.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from evaluation.diarization_errors import Errors, diarization_errors
from evaluation.recordings import Samples, entries, read_audio, turns_of
from speakr.media.base import SAMPLE_RATE
from speakr.media.chunks import plan_chunks
from speakr.media.speech import find_speech, read_pcm
from speakr.media.voices.diarization import Diarization, diarize
from speakr.media.voices.windows import embed_spans, from_json, step_for, to_json

GOAL_ERROR_RATE = 5.0
"""Percent, near microphones."""
GOAL_REAL_TIME_FACTOR = 0.03
GOAL_PEAK_MB = 450

CHUNK_SECONDS = (30.0, 120.0)
"""Target and longest, as the embedded engine asks."""
AN_HOUR = 3600.0


@dataclass
class Cost:
    """CPU seconds by step, and seconds of audio."""

    speech: float = 0.0
    vectors: float = 0.0
    clustering: float = 0.0
    audio: float = 0.0

    @property
    def real_time_factor(self) -> float:
        """CPU seconds a second of audio takes."""
        return (self.speech + self.vectors + self.clustering) / self.audio

    def __str__(self) -> str:
        parts = (self.speech / self.audio, self.vectors / self.audio, self.clustering / self.audio)
        return "RTF {:.4f} (speech {:.4f}, vectors {:.4f}, clustering {:.4f})".format(
            self.real_time_factor, *parts
        )


def tell_apart(samples: Samples, cost: Cost) -> Diarization:
    """Do what a worker does, chunk by chunk."""
    duration = len(samples) / SAMPLE_RATE
    began = time.process_time()
    spans = find_speech(samples)
    found = time.process_time()
    kept = []
    for piece in plan_chunks(spans, *CHUNK_SECONDS):
        start, end = piece[0].start, piece[-1].end
        cut = samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
        kept.append(to_json(embed_spans(cut, start, piece, step_for(duration))))
    embedded = time.process_time()
    told = diarize(from_json(kept))
    cost.speech += found - began
    cost.vectors += embedded - found
    cost.clustering += time.process_time() - embedded
    cost.audio += duration
    return told


def measure(corpus: Path) -> bool:
    """Print the figures of a corpus; tell whether the goals are met."""
    sums = {"near": Errors(), "far": Errors()}
    cost, wrong_counts, one_split, one_total = Cost(), 0, 0, 0
    for entry in entries(corpus):
        turns = turns_of(corpus, entry)
        if not turns and "speaker" not in entry:
            continue
        samples = read_audio(corpus / entry["file"])
        told = tell_apart(samples, cost)
        if not turns:
            one_total += 1
            one_split += len(told.voices) > 1
            continue
        people = len({who for _, _, who in turns})
        found = [(turn.start, turn.end, turn.speaker) for turn in told.turns]
        errors = diarization_errors(turns, found, len(samples) / SAMPLE_RATE)
        distance = "far" if entry["kind"] == "diarization" else "near"
        sums[distance] += errors
        wrong_counts += distance == "near" and people != len(told.voices)
        print(
            f"{entry['id']:20} {distance:4} speakers {len(told.voices)} of {people}  DER {errors.rate:5.1f} %  "
            f"missed {errors.missed:.1f}  false {errors.false_alarm:.1f}  confused {errors.confused:.1f} s"
        )
    print(
        f"near: DER {sums['near'].rate:.1f} % (goal {GOAL_ERROR_RATE}), wrong speaker counts {wrong_counts}"
    )
    print(f"far:  DER {sums['far'].rate:.1f} %")
    print(f"one speaker: split {one_split} of {one_total}")
    print(f"{cost}  (goal {GOAL_REAL_TIME_FACTOR})")
    return (
        sums["near"].rate <= GOAL_ERROR_RATE
        and wrong_counts == one_split == 0
        and cost.real_time_factor <= GOAL_REAL_TIME_FACTOR
    )


def measure_an_hour(corpus: Path) -> bool:
    """Print what an hour costs; tell whether the goals are met."""
    talks = [
        read_audio(corpus / entry["file"])
        for entry in entries(corpus)
        if turns_of(corpus, entry) and entry["kind"] != "diarization"
    ]
    with tempfile.TemporaryFile() as file:
        written = 0.0
        while written < AN_HOUR:
            for samples in talks:
                file.write(samples.astype("<i2").tobytes())
                written += len(samples) / SAMPLE_RATE
        file.flush()
        del talks
        cost = Cost()
        told = tell_apart(read_pcm(Path(f"/proc/self/fd/{file.fileno()}")), cost)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"an hour: {len(told.voices)} speakers, {len(told.turns)} turns, {cost}, peak {peak:.0f} MB (goal {GOAL_PEAK_MB})"
    )
    return peak <= GOAL_PEAK_MB and cost.real_time_factor <= GOAL_REAL_TIME_FACTOR


def main() -> int:
    """Measure; 1 when a goal is missed."""
    arguments = argparse.ArgumentParser(description="Measure the embedded diarization.")
    arguments.add_argument("--corpus", type=Path, required=True)
    arguments.add_argument("--long", action="store_true")
    asked = arguments.parse_args()
    return 0 if (measure_an_hour if asked.long else measure)(asked.corpus) else 1


if __name__ == "__main__":
    sys.exit(main())
