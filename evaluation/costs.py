"""Cost of transcription: CPU seconds per second of clean speech, and peak memory.

All near recordings without noise form one recording. A separate process transcribes it as a worker does: it finds
speech, recognises words and separates voices. Memory is that process's peak, libraries and models included.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.recordings import entries, samples_of
from evaluation.report import Figure, Table, at_most
from evaluation.transcribing import Cost, make_engine, transcribe_recording
from speakr.media.base import SAMPLE_RATE
from speakr.media.speech import read_pcm

GOAL_CPU_SECONDS = 0.15
GOAL_PEAK_MB = 450.0
CLEAN_KINDS = ("asr", "diarization+asr", "noise-clean")
PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Spent:
    """CPU time and memory of one process for one recording."""

    cost: Cost
    peak_mb: float


def measure(corpus: Path, engine_name: str, least_seconds: float = 0.0) -> list[Table]:
    """Transcribe the clean speech of a corpus, repeated up to a given length."""
    title = "Costs"
    with tempfile.NamedTemporaryFile(suffix=".pcm") as file:
        seconds = _write(corpus, Path(file.name), least_seconds)
        if not seconds:
            return [Table(title)]
        # A new process and not a fork, which would inherit this process's memory.
        fresh = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=fresh) as pool:
            spent = pool.submit(spend, file.name, engine_name).result()
    cost, note = spent.cost, f"{seconds / 60:.1f} minutes, one thread"
    parts = (("finding speech", cost.speech), ("words", cost.words), ("voices", cost.voices))
    return [
        Table(
            title,
            [
                Figure(
                    "CPU seconds for a second", cost.real_time_factor, "", at_most(GOAL_CPU_SECONDS), 3, note
                ),
                *(Figure(f"of these {name}", part / cost.audio, "", None, 4, note) for name, part in parts),
                Figure("peak memory", spent.peak_mb, " MB", at_most(GOAL_PEAK_MB), 0, "resident"),
            ],
        )
    ]


def _write(corpus: Path, target: Path, least_seconds: float) -> float:
    """Write the clean speech as decoded audio; return its length in seconds."""
    pause = np.zeros(round(PAUSE_SECONDS * SAMPLE_RATE), np.int16)
    clean = [
        np.concatenate([samples_of(corpus, entry), pause])
        for entry in entries(corpus)
        if entry["kind"] in CLEAN_KINDS
    ]
    written = 0
    with target.open("wb") as file:
        while clean and (not written or written < least_seconds * SAMPLE_RATE):
            for samples in clean:
                file.write(samples.astype("<i2").tobytes())
                written += len(samples)
    return written / SAMPLE_RATE


def spend(pcm: str, engine_name: str) -> Spent:
    """Transcribe decoded audio in this process."""
    engine = make_engine(engine_name)
    recognized = transcribe_recording(
        engine, read_pcm(Path(pcm)), separates_voices=not engine.capabilities.diarization
    )
    return Spent(recognized.cost, peak_mb())


def peak_mb() -> float:
    """Return this process's peak memory in MB. `ru_maxrss` would start with its parent's."""
    status = Path("/proc/self/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024
