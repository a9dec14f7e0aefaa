"""How long Speakr itself needs behind the 202: an upload with an engine that answers at once and labels speakers.

python -m benchmarks.instant_engine [--minutes 16] [--runs 3] [--database URL] [--without-speakers]

Starts the real processes and a stand-in for the engine. Uploads 20 seconds and so many minutes of speech, and prints the time
from the response to `completed_at`, and the CPU seconds that the workers and their children used until they were idle.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine, text

from benchmarks.latency import Watch, upload
from benchmarks.speech_audio import RATE, clips, wav, with_pauses
from benchmarks.stack import Server, machine, print_table
from benchmarks.uploads import make_user
from speakr.db import make_engine
from tests.crash.provider import Provider

TURN_SECONDS = 5.0
GOALS = {"short": (1.0, 0.0), "long": (2.0, 5.6)}
COMPLETED = text("SELECT completed_at, status FROM recordings WHERE id = :recording")


def speech(seconds: float) -> bytes:
    """Return a WAV file of real speech, repeated with pauses."""
    return wav(np.resize(with_pauses(clips(), 1.0), round(seconds * RATE)))


def answer_for(seconds: float, *, has_speakers: bool) -> Mapping[str, Any]:
    """Return turns of two people over so many seconds, each with its words."""
    segments = []
    for number in range(max(1, int(seconds / TURN_SECONDS))):
        start = number * TURN_SECONDS
        words = [
            {"word": f"word{number}x{at}", "start": start + at / 2, "end": start + at / 2 + 0.4}
            for at in range(9)
        ]
        line = " ".join(str(word["word"]) for word in words)
        who = {"speaker": f"S{number % 2}"} if has_speakers else {}
        segments.append({"start": start, "end": start + 4.8, "text": f"{line}.", "words": words, **who})
    return {"language": "en", "text": " ".join(str(each["text"]) for each in segments), "segments": segments}


class InstantEngine(Provider):
    """A provider that answers at once, by the length of the audio."""

    def __init__(self, *, has_speakers: bool) -> None:
        super().__init__(delay_seconds=0.0)
        self._has_speakers = has_speakers

    def answer(self, digest: str, audio: bytes) -> Mapping[str, Any]:
        """Return turns over the length of the audio."""
        del digest
        return answer_for(len(audio) / (2 * RATE), has_speakers=self._has_speakers)


def cpu_seconds(pids: list[int]) -> float:
    """Return the CPU seconds of processes and of their children that have ended (proc(5), stat)."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def completed_at(engine: Engine, recording: int) -> float:
    """Wait until a recording is complete; return when it was, in seconds since 1970."""
    while True:
        with engine.connect() as connection:
            found, status = connection.execute(COMPLETED, {"recording": recording}).one()
        assert status != "FAILED", "the transcription failed"
        if found is not None:
            moment = found if isinstance(found, datetime) else datetime.fromisoformat(str(found))
            return moment.replace(tzinfo=UTC).timestamp()
        time.sleep(0.02)


def measure(server: Server, engine: Engine, token: str, seconds: float, runs: int) -> tuple[float, float]:
    """Return the medians of the time from the response to the end, and of the CPU seconds."""
    watch, data = Watch(server, engine), speech(seconds)
    pids = [worker.pid for worker in server.workers]
    waits, costs = [], []
    for _ in range(runs):
        watch.wait_until_idle()
        before = cpu_seconds(pids)
        recording, answered = upload(server.port, token, data)
        waits.append(completed_at(engine, recording) - answered)
        watch.wait_until_idle()
        costs.append(cpu_seconds(pids) - before)
    return statistics.median(waits), statistics.median(costs)


def main() -> None:
    """Run the benchmark."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--minutes", type=float, default=16.0)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--database", default="", help="a PostgreSQL URL; SQLite by default")
    options.add_argument("--without-speakers", action="store_true", help="the engine labels no speakers")
    options.add_argument(
        "--log", default="WARNING", help="level of the server's log, which is printed at the end"
    )
    asked = options.parse_args()
    with (
        InstantEngine(has_speakers=not asked.without_speakers) as stand_in,
        tempfile.TemporaryDirectory(prefix="spk-b-") as folder,
        Server(
            Path(folder),
            asked.database,
            workers=2,
            TRANSCRIPTION_BASE_URL=stand_in.url,
            SPEAKR_LOG_LEVEL=asked.log,
        ) as server,
    ):
        token = make_user(server, "bench")
        engine = make_engine(asked.database or f"sqlite:///{folder}/speakr.db")
        time.sleep(3.0)  # until the workers are idle
        measure(server, engine, token, 5.0, 1)  # warms up
        rows = []
        for name, seconds in (("short", 20.0), ("long", asked.minutes * 60)):
            wait, cpu = measure(server, engine, token, seconds, asked.runs)
            goal_wait, goal_cpu = GOALS[name]
            rows.append(
                [f"{seconds:.0f} s", f"{wait:.2f}", f"{goal_wait:.0f}", f"{cpu:.2f}", f"{goal_cpu or ''}"]
            )
        engine.dispose()
        title = f"{machine()}; {asked.runs} runs, 2 workers, {server.database_name}"
        print_table(title, ["audio", "202 to COMPLETED, s", "goal", "CPU of workers, s", "goal"], rows)
        if asked.log != "WARNING":
            print((Path(folder) / "log").read_text())


if __name__ == "__main__":
    main()
