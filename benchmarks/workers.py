"""How much faster two workers are than one on one long recording, with the embedded engine.

python -m benchmarks.workers [--minutes 30] [--runs 3]

Starts a whole server (`speakr up`) with one worker, then one with two, and so on in turn, uploads a recording of
continuous speech, and measures from the response to the finished transcript. Also prints the processor time of the work
horses, which depends little on other processes of the machine, and the share of a core that each worker got. The
speedup of two bare processes on this machine is measured first: other processes may use the cores, and two "cores" are
often two halves of one.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.speech_audio import clips, wav
from benchmarks.stack import WholeServer, machine, print_table
from benchmarks.transcription import SAMPLE_RATE, Samples

GOAL_RATIO = 1.7
_DONE = {"SUMMARIZING", "COMPLETED"}


def speech(minutes: float) -> Samples:
    """Return speech with natural pauses, int16, shape (n,), 16 kHz mono; always the same."""
    rng = random.Random(1)
    pieces = clips()
    parts: list[Samples] = []
    missing = round(minutes * 60 * SAMPLE_RATE)
    while missing > 0:
        parts += [rng.choice(pieces), np.zeros(round(rng.uniform(0.3, 0.9) * SAMPLE_RATE), np.int16)]
        missing -= sum(part.size for part in parts[-2:])
    return np.concatenate(parts)


@dataclass(frozen=True)
class Run:
    """One recording through one server; seconds."""

    workers: int
    wall: float
    processor: float

    @property
    def share(self) -> float:
        """Share of a core that each worker got."""
        return self.processor / self.wall / self.workers


def transcribe(sound: bytes, workers: int) -> Run:
    """Transcribe a recording on a server with a number of workers."""
    with (
        tempfile.TemporaryDirectory(prefix="spk-w-") as folder,
        WholeServer(Path(folder), workers=workers) as server,
    ):
        recording = server.upload(sound, "long")
        began = time.monotonic()
        while (status := server.get(f"/api/v1/recordings/{recording}/status")["status"]) not in _DONE:
            assert status != "FAILED", server.get(f"/api/v1/recordings/{recording}")
            time.sleep(0.2)
        wall = time.monotonic() - began
        while server.pids("horse"):  # they count only after they have ended
            time.sleep(0.1)
        return Run(workers, wall, sum(map(_seconds_of_children, server.pids("worker"))))


def _seconds_of_children(pid: int) -> float:
    """Return the processor time of a process's children that have ended (proc(5): cutime, cstime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def transcribe_all() -> float:
    """Transcribe a minute in this process, without a server; return the elapsed seconds."""
    from speakr.connectors.transcription.base import AudioChunk
    from speakr.connectors.transcription.embedded import EmbeddedConnector
    from speakr.domain.transcript import Hints
    from speakr.media.speech import find_speech

    sound = speech(1)
    chunk = AudioChunk(sound, 0.0, find_speech(sound))
    engine = EmbeddedConnector()
    engine.transcribe(AudioChunk(sound[:0], 0.0, ()), Hints(), lambda _segment: None)
    began = time.monotonic()
    engine.transcribe(chunk, Hints(), lambda _segment: None)
    return time.monotonic() - began


def ceiling() -> float:
    """Return the ratio of audio that two processes and one transcribe in the same time on this machine."""

    def at_once(count: int) -> float:
        command = [sys.executable, "-m", "benchmarks.workers", "--transcribe"]
        processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
        return statistics.mean(float(process.communicate()[0]) for process in processes)

    return 2 * at_once(1) / at_once(2)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--minutes", type=float, default=30)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--transcribe", action="store_true", help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.transcribe:
        sys.stdout.write(f"{transcribe_all()}\n")
        return
    samples = speech(asked.minutes)
    seconds, sound = samples.size / SAMPLE_RATE, wav(samples)
    ceilings, runs = [], []
    for _ in range(asked.runs):
        ceilings.append(ceiling())
        runs += [transcribe(sound, 1), transcribe(sound, 2)]
        print(
            f"  ceiling {ceilings[-1]:.2f}, one {runs[-2].wall:.0f} s, two {runs[-1].wall:.0f} s", flush=True
        )
    print_table(
        f"{machine()}; {seconds / 60:.1f} minutes of speech, medians of {asked.runs}",
        [
            "workers",
            "wall s",
            "x real time",
            "processor s",
            "x real time on one core",
            "share of a core each",
        ],
        [_line([run for run in runs if run.workers == workers], workers, seconds) for workers in (1, 2)],
    )
    pairs = list(zip(runs[::2], runs[1::2], strict=True))
    ratio = statistics.median(one.wall / two.wall for one, two in pairs)
    alone = statistics.median(2 * one.processor / two.processor for one, two in pairs)
    print(f"\nTwo workers were {ratio:.2f} x as fast as one on the wall (wanted: {GOAL_RATIO}).")
    print(
        f"Two bare processes transcribed {statistics.median(ceilings):.2f} x as much as one in the same time."
    )
    print(f"By processor time alone, a core for each worker would make it {alone:.2f} x.")


def _line(runs: list[Run], workers: int, seconds: float) -> list[str]:
    wall = statistics.median(run.wall for run in runs)
    processor = statistics.median(run.processor for run in runs)
    share = statistics.median(run.share for run in runs)
    return [
        str(workers), f"{wall:.0f}", f"{wall / seconds:.3f}", f"{processor:.0f}", f"{processor / seconds:.3f}", f"{share:.2f}",
    ]  # fmt: skip


if __name__ == "__main__":
    main()
