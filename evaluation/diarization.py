"""Measure the built-in diarization: error rate, number of speakers, and cost.

    python -m evaluation.diarization --corpus FOLDER [--long]

In each recording with known turns (`evaluation/recordings.py`), speech is found, cut into chunks and embedded as a worker does,
then clustered. Errors count with a collar of 0.25 s, overlapping speech included. Far-field meetings (kind "diarization") are
separate from close microphones, to which the goals apply. A recording of one `speaker` must give one speaker. Each conversation
runs once more with the number of speakers given. Time is CPU time on one thread. `--long` repeats the conversations for an hour.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from evaluation.diarization_errors import Errors, diarization_errors
from evaluation.recordings import Samples, entries, samples_of, turns_of
from evaluation.report import Figure, Table, at_most
from speakr.media.base import SAMPLE_RATE
from speakr.media.chunks import plan_chunks
from speakr.media.speech import find_speech, read_pcm
from speakr.media.voices.diarization import Diarization, diarize
from speakr.media.voices.networks import load
from speakr.media.voices.windows import embed_spans, from_json, step_for, to_json
from speakr.model_files.store import shared_folder

GOAL_ERROR_RATE = 1.0
"""Percent, near microphones."""
GOAL_FAR_ERROR_RATE = 27.0
"""Percent, far microphones."""
GOAL_REAL_TIME_FACTOR = 0.065
GOAL_PEAK_MB = 450

CHUNK_SECONDS = (30.0, 120.0)
"""Target and maximum length of a chunk, as for the embedded engine."""
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
        """CPU seconds per second of audio."""
        return (self.speech + self.vectors + self.clustering) / self.audio

    def __str__(self) -> str:
        parts = (self.speech / self.audio, self.vectors / self.audio, self.clustering / self.audio)
        return "RTF {:.4f} (speech {:.4f}, vectors {:.4f}, clustering {:.4f})".format(
            self.real_time_factor, *parts
        )


def diarize_chunks(
    samples: Samples, cost: Cost, people: int | None = None
) -> tuple[Diarization, Diarization]:
    """Diarize as a worker does, chunk by chunk; without and with the number of speakers."""
    duration = len(samples) / SAMPLE_RATE
    networks = load(shared_folder())
    began = time.process_time()
    spans = find_speech(samples)
    found = time.process_time()
    kept = []
    for piece in plan_chunks(spans, *CHUNK_SECONDS):
        start, end = piece[0].start, piece[-1].end
        cut = samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
        kept.append(to_json(embed_spans(cut, start, piece, step_for(duration), networks)))
    embedded = time.process_time()
    plain = diarize(from_json(kept))
    cost.speech += found - began
    cost.vectors += embedded - found
    cost.clustering += time.process_time() - embedded
    cost.audio += duration
    return plain, diarize(from_json(kept), least=people, most=people) if people else plain


@dataclass(frozen=True)
class Judged:
    """One recording: real and found number of speakers, and the errors without and with the number given."""

    name: str
    is_near: bool
    people: int
    found: int
    errors: Errors
    errors_when_given: Errors


@dataclass
class Judgement:
    """A corpus: its conversations, and how many recordings of one speaker were split."""

    conversations: list[Judged] = field(default_factory=list)
    split: int = 0
    of_one: int = 0
    cost: Cost = field(default_factory=Cost)

    def errors(self, *, is_near: bool, is_count_given: bool = False) -> Errors:
        """Add up the errors near the microphone, or far from it."""
        chosen = [each for each in self.conversations if each.is_near is is_near]
        return sum((each.errors_when_given if is_count_given else each.errors for each in chosen), Errors())

    def wrong_counts(self, *, is_near: bool) -> int:
        """Return the number of conversations with a wrong number of speakers."""
        return sum(each.found != each.people for each in self.conversations if each.is_near is is_near)


def judge(corpus: Path) -> Judgement:
    """Diarize a corpus."""
    judged = Judgement()
    for entry in entries(corpus):
        turns = turns_of(corpus, entry)
        if not turns and "speaker" not in entry:
            continue
        samples = samples_of(corpus, entry)
        people = len({who for _, _, who in turns})
        plain, given = diarize_chunks(samples, judged.cost, people or None)
        if not turns:
            judged.of_one += 1
            judged.split += len(plain.voices) > 1
            continue
        errors, errors_when_given = (
            diarization_errors(
                turns,
                [(turn.start, turn.end, turn.speaker) for turn in (*found.turns, *found.overlaps)],
                len(samples) / SAMPLE_RATE,
            )
            for found in (plain, given)
        )
        is_near = entry["kind"] != "diarization"
        judged.conversations.append(
            Judged(entry["id"], is_near, people, len(plain.voices), errors, errors_when_given)
        )
    return judged


def tables(corpus: Path) -> list[Table]:
    """Return the figures of a corpus."""
    judged = judge(corpus)
    return [
        Table("Speakers, built-in diarization", [*_figures(judged), *map(_figure_of, judged.conversations)])
    ]


def _figures(judged: Judgement) -> Iterator[Figure]:
    for is_near, goal in ((True, at_most(GOAL_ERROR_RATE)), (False, at_most(GOAL_FAR_ERROR_RATE))):
        where = "near microphones" if is_near else "far microphones"
        count = sum(each.is_near is is_near for each in judged.conversations)
        if not count:
            continue
        plain, given = (judged.errors(is_near=is_near, is_count_given=known).rate for known in (False, True))
        yield Figure(f"DER, {where}", plain, " %", goal, note=f"{count} conversations")
        yield Figure(
            f"DER, {where}, number of speakers given",
            given,
            " %",
            at_most(round(plain, 1)),
            note="must not be worse than without the number",
        )
        wrong = judged.wrong_counts(is_near=is_near)
        yield Figure(
            f"wrong numbers of speakers, {where}",
            wrong,
            "",
            at_most(0) if is_near else None,
            0,
            f"{count} conversations",
        )
    if judged.of_one:
        yield Figure(
            "recordings of one, split", judged.split, "", at_most(0), 0, f"{judged.of_one} recordings"
        )
    if judged.cost.audio:
        yield Figure(
            "CPU seconds a second",
            judged.cost.real_time_factor,
            "",
            at_most(GOAL_REAL_TIME_FACTOR),
            4,
            "speech detection, diarization",
        )


def _figure_of(judged: Judged) -> Figure:
    errors = judged.errors
    note = (
        f"{judged.found} of {judged.people} speakers; missed {errors.missed:.1f} s, false {errors.false_alarm:.1f} s, "
        f"confused {errors.confused:.1f} s; number of speakers given: {judged.errors_when_given.rate:.1f} %"
    )
    return Figure(judged.name, errors.rate, " %", note=note)


def measure_an_hour(corpus: Path) -> bool:
    """Print the cost of an hour; return whether the goals are met."""
    talks = [
        samples_of(corpus, entry)
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
        plain, _ = diarize_chunks(read_pcm(Path(f"/proc/self/fd/{file.fileno()}")), cost)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"an hour: {len(plain.voices)} speakers, {len(plain.turns)} turns, {cost}, peak {peak:.0f} MB (goal {GOAL_PEAK_MB})"
    )
    return peak <= GOAL_PEAK_MB and cost.real_time_factor <= GOAL_REAL_TIME_FACTOR


def main() -> int:
    """Measure; return 1 if a goal is missed."""
    arguments = argparse.ArgumentParser(description="Measure the embedded diarization.")
    arguments.add_argument("--corpus", type=Path, required=True)
    arguments.add_argument("--long", action="store_true")
    asked = arguments.parse_args()
    if asked.long:
        return 0 if measure_an_hour(asked.corpus) else 1
    found = tables(asked.corpus)
    for table in found:
        table.show()
    return 1 if any(table.missed for table in found) else 0


if __name__ == "__main__":
    sys.exit(main())
