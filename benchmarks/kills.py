"""Kill processes at random moments while a client uploads many short recordings. All must be complete in the end.

python -m benchmarks.kills [--uploads 40] [--kills 60] [--seed 1] [--every 1.5] [--postgresql]

Starts a whole server (`speakr up`, two workers, embedded engine), uploads the recordings undisturbed, then again under
SIGKILLs: web, worker, work horse, dispatcher, Redis and the supervisor, whose place a new one takes. Goals: all complete, texts as
undisturbed, and after the last kill no more than twice the undisturbed time plus 15 s.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.killing import Killer, Rows
from benchmarks.speech_audio import clips, wav
from benchmarks.stack import WholeServer, machine, print_table
from speakr.db import make_engine
from tests.servers import postgres_server

ROLES = ("horse", "horse", "worker", "worker and horse", "web", "dispatcher", "redis", "supervisor")
"""Horses twice: most processes of a busy server are such."""

GRACE_SECONDS = 15.0
_FINAL = {"COMPLETED", "FAILED"}


class SeededKills:
    """Sends a number of SIGKILLs at random intervals, to random processes."""

    def __init__(
        self, server: WholeServer, rows: Rows, *, seed: int, count: int, every_seconds: float
    ) -> None:
        self._server, self._count, self._every = server, count, every_seconds
        self._rng = random.Random(seed)
        self._killer = Killer(server, rows, self._rng, every_seconds)
        self.done: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wait(self) -> None:
        """Wait for the last kill."""
        self._thread.join()

    def _run(self) -> None:
        while self.done.total() < self._count:
            time.sleep(self._rng.uniform(0.4, 1.6) * self._every)
            role = self._rng.choice(ROLES)
            if role == "supervisor":
                self._server.kill_supervisor()
                self.done[role] += 1
            elif targets := self._killer.targets(role):
                self._killer.kill(targets)
                self.done[role] += 1


def upload_all(
    server: WholeServer, audio: Sequence[bytes], count: int, name: str, *, over: float
) -> list[int]:
    """Upload recordings one after the other, spread over so many seconds; return their ids."""
    ids, began = [], time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, began + over * number / count - time.monotonic()))
        title = f"{name} {number}"
        ids.append(server.upload(audio[number % len(audio)], title, key=title))
    return ids


def wait_for(server: WholeServer, ids: Sequence[int], seconds: float) -> dict[int, str]:
    """Wait until all recordings have a final state or the time is over; return the states."""
    states: dict[int, str] = {}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and len(states) < len(ids):
        for recording in ids:
            if recording not in states:
                status = server.get(f"/api/v1/recordings/{recording}/status")["status"]
                if status in _FINAL:
                    states[recording] = status
        time.sleep(0.2)
    return states


def texts(server: WholeServer, ids: Sequence[int]) -> list[Any]:
    """Return the transcripts without the ids of their segments, which differ."""
    shown = [server.get(f"/api/v1/recordings/{recording}/transcript?format=json") for recording in ids]
    return [[{k: v for k, v in line.items() if k != "id"} for line in one["segments"]] for one in shown]


@contextlib.contextmanager
def database(*, is_postgresql: bool) -> Iterator[str]:
    """Yield the URL of a database; empty for SQLite."""
    if not is_postgresql:
        yield ""
        return
    with postgres_server() as url:
        yield url


def main() -> int:
    """Run the benchmark, print the table and return 1 if a goal is missed."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--uploads", type=int, default=40)
    options.add_argument("--kills", type=int, default=60)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--every", type=float, default=1.5, help="mean seconds between two kills")
    options.add_argument("--postgresql", action="store_true")
    asked = options.parse_args()
    audio = [wav(clip) for clip in clips()]
    with (
        tempfile.TemporaryDirectory(prefix="spk-k-") as folder,
        database(is_postgresql=asked.postgresql) as database_url,
        WholeServer(Path(folder), database_url) as server,
    ):
        began = time.monotonic()
        calm = upload_all(server, audio, asked.uploads, "undisturbed", over=0.0)
        states = wait_for(server, calm, 1_200)
        calm_seconds = time.monotonic() - began
        if set(states.values()) != {"COMPLETED"}:
            sys.stderr.write(f"undisturbed: {Counter(states.values())}\n")
            return 2
        wanted = texts(server, calm)

        rows = Rows(make_engine(server.database_url), max(calm) + 1)
        kills = SeededKills(server, rows, seed=asked.seed, count=asked.kills, every_seconds=asked.every)
        kills.start()
        ids = upload_all(server, audio, asked.uploads, "disturbed", over=0.8 * asked.kills * asked.every)
        kills.wait()
        last_kill = time.monotonic()
        limit = 2 * calm_seconds + GRACE_SECONDS
        states = wait_for(server, ids, max(600.0, 3 * limit))
        recovery = time.monotonic() - last_kill
        same = [found == wanted[number] for number, found in enumerate(texts(server, ids))]
        total = server.get("/api/v1/recordings")["pagination"]["total"]
    completed = sum(states.get(one) == "COMPLETED" for one in ids)
    print_table(
        f"{machine()}; {'PostgreSQL' if asked.postgresql else 'SQLite'}, seed {asked.seed}, "
        f"{kills.done.total()} kills: {', '.join(f'{role} {n}' for role, n in sorted(kills.done.items()))}",
        ["what", "found", "wanted"],
        [
            ["completed", f"{completed} of {len(ids)}", "all"],
            ["failed", str(sum(state == "FAILED" for state in states.values())), "0"],
            ["texts identical", f"{sum(same)} of {len(same)}", "all"],
            ["recordings beyond those uploaded", str(total - len(ids) - len(calm)), "0"],
            ["recovery after the last kill", f"{recovery:.1f} s", f"<= {limit:.1f} s"],
            ["undisturbed", f"{calm_seconds:.1f} s", ""],
        ],
    )
    return 0 if completed == len(ids) and all(same) and recovery <= limit else 1


if __name__ == "__main__":
    sys.exit(main())
