"""Kill processes repeatedly while workers process a queue of jobs, and count what is lost.

python -m benchmarks.crash [--jobs 30] [--seed 1] [--every 3] [--database URL]

Starts a whole server (`speakr up`, two workers, embedded engine), transcribes five recordings undisturbed, then uploads
them in turn up to the given number of jobs. Meanwhile it sends SIGKILL to a process of a random kind at random moments
until all jobs are done. Only the supervisor restarts processes. A receiver in this process checks the deliveries of a
webhook.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import shutil
import signal
import statistics
import tempfile
import threading
import time
import wave
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from benchmarks.stack import ROOT, WholeServer, machine, print_table
from benchmarks.transcription import Samples, read_audio
from speakr.db import make_engine
from speakr.operations.receiver import is_genuine

KINDS = ("horse", "worker", "worker and horse", "web", "dispatcher", "redis", "redis and its data")
FINAL = {"COMPLETED", "FAILED"}
DISTINCT = 5
PAUSE_SECONDS = 27.0
"""Seconds between two sentences: each becomes a chunk, so a job has several without taking minutes."""
GOAL_SECONDS = 15.0


def clips() -> list[Samples]:
    """Return short pieces of real speech: int16, 16 kHz mono. tests/connectors/data/LICENCES.md has their origin."""
    return [read_audio(path) for path in sorted((ROOT / "tests" / "connectors" / "data").glob("*.flac"))]


def wav(samples: Samples) -> bytes:
    """Return a WAV file of int16 samples at 16 kHz."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()


def recordings(rng: random.Random) -> list[bytes]:
    """Make some recordings of four to seven sentences, far apart."""
    pieces = clips()
    pause = np.zeros(round(PAUSE_SECONDS * 16_000), np.int16)
    made = []
    for number in range(DISTINCT):
        chosen = [rng.choice(pieces) for _ in range(4 + number % 4)]
        made.append(wav(np.concatenate([part for piece in chosen for part in (piece, pause)])))
    return made


# -- reading the rows


@dataclass(frozen=True)
class Held:
    """A job or chunk that a horse has claimed; `claim` counts its claims."""

    table: str
    row_id: int
    claim: int
    worker: str


_CLAIMS = {
    "jobs": "SELECT id, state, fence AS claim, worker FROM jobs WHERE recording_id >= :first",
    "job_chunks": (
        "SELECT c.id, c.state, c.claim_count AS claim, c.worker FROM job_chunks c "
        "JOIN jobs j ON j.id = c.job_id WHERE j.recording_id >= :first"
    ),
}


class Rows:
    """The database, read only, from the first recording of the disturbed run on."""

    def __init__(self, engine: Engine, first_recording: int) -> None:
        self._engine = engine
        self._first = first_recording

    def read(self, query: str) -> list[Any]:
        """Run a query; retry while the database is busy."""
        while True:
            with suppress(SQLAlchemyError), self._engine.connect() as connection:
                return list(connection.execute(text(query), {"first": self._first}).all())
            time.sleep(0.05)

    def claims(self) -> Iterator[tuple[Held, str]]:
        """Yield every job and chunk with its state."""
        for table, query in _CLAIMS.items():
            for row in self.read(query):
                yield Held(table, row.id, row.claim, row.worker or ""), row.state


# -- killing


@dataclass
class Kill:
    """One kill: the interrupted claims, and how they ended."""

    kind: str
    at: float
    interrupted: dict[tuple[str, int], Held] = field(default_factory=dict)
    recomputed_chunks: int = 0
    resumed_after: float | None = None
    answered_after: float | None = None

    def see(self, claims: dict[tuple[str, int], tuple[Held, str]]) -> None:
        """Check whether other processes have claimed or finished the interrupted work."""
        for key, held in list(self.interrupted.items()):
            now, state = claims.get(key, (held, "gone"))
            if now.claim > held.claim:
                self.recomputed_chunks += held.table == "job_chunks"
                self.resumed_after = time.monotonic() - self.at
            elif state in {"running", "queued", "pending"}:
                continue
            del self.interrupted[key]


class Killer:
    """Kills in one thread and observes in another, until stopped."""

    def __init__(self, server: WholeServer, rows: Rows, rng: random.Random, every_seconds: float) -> None:
        self._server, self._rows, self._rng, self._every = server, rows, rng, every_seconds
        self.kills: list[Kill] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._kill, self._watch)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _kill(self) -> None:
        while not self._over.wait(self._rng.uniform(0.4, 1.6) * self._every):
            kind = self._rng.choice(KINDS)
            targets = self.targets(kind)
            if targets:
                self._strike(kind, targets)

    def targets(self, kind: str) -> list[int]:
        """Choose the processes that a kill of this kind hits."""
        role = kind.split(maxsplit=1)[0]
        pids = self._server.pids(role)
        if role == "horse":
            return [self._rng.choice(pids)] if pids else []
        if role == "worker" and pids:
            worker = self._rng.choice(pids)
            below = [pid for pid, (parent, _) in self._server.processes().items() if parent == worker]
            return [worker, *below] if kind == "worker and horse" else [worker]
        return pids

    def _strike(self, kind: str, targets: Sequence[int]) -> None:
        if kind == "redis and its data":
            for path in (self._server.data / "redis").glob("appendonly*"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        held = [
            held for held, state in self._rows.claims() if state == "running" and _is_of(held, kind, targets)
        ]
        self.kill(targets)
        kill = Kill(kind, time.monotonic(), {(one.table, one.row_id): one for one in held})
        self.kills.append(kill)
        if kind == "web":
            while self._server.get("/healthz") is None:
                pass
            kill.answered_after = time.monotonic() - kill.at

    def kill(self, targets: Sequence[int]) -> None:
        """Send SIGKILL to processes."""
        for pid in targets:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            open_kills = [kill for kill in self.kills if kill.interrupted]
            if open_kills:
                claims = {(held.table, held.row_id): (held, state) for held, state in self._rows.claims()}
                for kill in open_kills:
                    kill.see(claims)


def _is_of(held: Held, kind: str, targets: Sequence[int]) -> bool:
    """Return whether a claim owner (host:-worker-time.horse) belongs to a killed process."""
    if kind == "horse":
        return held.worker.endswith(f".{targets[0]}")
    return kind.startswith("worker") and f"-{targets[0]}-" in held.worker


# -- receiving


class Subscriber:
    """Counts valid deliveries by event id."""

    def __init__(self) -> None:
        self.secret = ""
        self.received: Counter[str] = Counter()
        self.bodies: dict[str, set[bytes]] = defaultdict(set)
        self.false_count = 0
        subscriber = self

        class _Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                if is_genuine(subscriber.secret, headers, body):
                    subscriber.received[headers["webhook-id"]] += 1
                    subscriber.bodies[headers["webhook-id"]].add(body)
                else:
                    subscriber.false_count += 1
                self.send_response(204)
                self.end_headers()

            def handle(self) -> None:
                with suppress(OSError):  # the dispatcher was killed
                    super().handle()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def subscribe(self, server: WholeServer) -> None:
        """Add a webhook for all events."""
        form = {
            "name": "crash", "url": f"http://127.0.0.1:{self.http.server_port}/", "allow_http": True,
            "events": [
                "recording.created", "recording.transcription.started", "recording.transcription.completed",
                "recording.transcription.failed", "recording.summary.completed", "recording.summary.failed",
            ],
        }  # fmt: skip
        body = json.dumps(form).encode()
        status, answer = server.call("POST", "/api/v1/webhooks", body, {"Content-Type": "application/json"})
        assert status == 201, answer
        self.secret = json.loads(answer)["secret"]


# -- one run


def wait_until_done(server: WholeServer, ids: Sequence[int], seconds: float) -> dict[int, str]:
    """Wait until all recordings have a final state, and return the states."""
    deadline = time.monotonic() + seconds
    states: dict[int, str] = {}
    while len(states) < len(ids) and time.monotonic() < deadline:
        for recording in ids:
            if recording not in states:
                status = server.get(f"/api/v1/recordings/{recording}/status")["status"]
                if status in FINAL:
                    states[recording] = status
        time.sleep(0.3)
    return states


def transcripts(server: WholeServer, ids: Sequence[int]) -> list[Any]:
    """Return the transcripts, as JSON."""
    return [server.get(f"/api/v1/recordings/{recording}/transcript?format=json") for recording in ids]


def main() -> None:
    """Run the benchmark and print the tables."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--jobs", type=int, default=30)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--every", type=float, default=3.0, help="mean seconds between two kills")
    options.add_argument("--database", default="", help="SQLAlchemy URL of an empty PostgreSQL database")
    asked = options.parse_args()
    rng = random.Random(asked.seed)
    subscriber = Subscriber()
    with (
        tempfile.TemporaryDirectory(prefix="spk-c-") as folder,
        WholeServer(Path(folder), asked.database) as server,
    ):
        subscriber.subscribe(server)
        audio = recordings(rng)
        undisturbed = [server.upload(sound, f"undisturbed {number}") for number, sound in enumerate(audio)]
        began = time.monotonic()
        states = wait_until_done(server, undisturbed, 600)
        calm_seconds = (time.monotonic() - began) / len(undisturbed)
        assert set(states.values()) == {"COMPLETED"}, states
        wanted = transcripts(server, undisturbed)

        rows = Rows(make_engine(server.database_url), max(undisturbed) + 1)
        killer = Killer(server, rows, rng, asked.every)
        killer.start()
        began = time.monotonic()
        ids = [server.upload(audio[n % DISTINCT], f"job {n}", key=f"job {n}") for n in range(asked.jobs)]
        states = wait_until_done(server, ids, 60 * asked.jobs)
        killer.stop()
        seconds = time.monotonic() - began
        same = [found == wanted[n % DISTINCT] for n, found in enumerate(transcripts(server, ids))]
        missing = _wait_for_deliveries(rows, subscriber)
        counts = rows.read("SELECT recording_id, type FROM events WHERE recording_id >= :first")
        claims = [held.claim for held, _ in rows.claims() if held.table == "job_chunks"]
        total = server.get("/api/v1/recordings")["pagination"]["total"]
        server.stop()
        left = server.processes()
    print_kills(
        f"{machine()}; {'PostgreSQL' if asked.database else 'SQLite'}, seed {asked.seed}", killer.kills
    )
    completed = Counter(row.recording_id for row in counts if row.type == "recording.transcription.completed")
    started = Counter(row.recording_id for row in counts if row.type == "recording.transcription.started")
    repeated = sum(count - 1 for count in subscriber.received.values())
    resumed = [kill.resumed_after for kill in killer.kills if kill.resumed_after is not None]
    print_table(
        f"{asked.jobs} jobs of {len(claims)} chunks, {len(killer.kills)} kills in {seconds:.0f} s",
        ["what", "found", "wanted"],
        [
            ["jobs lost", str(sum(states.get(one) != "COMPLETED" for one in ids)), "0"],
            ["jobs completed twice", str(sum(count > 1 for count in completed.values())), "0"],
            ["jobs with two started events", str(sum(count > 1 for count in started.values())), "0"],
            ["recordings beyond those uploaded", str(total - len(ids) - len(undisturbed)), "0"],
            ["transcripts identical", f"{sum(same)} of {len(same)}", "all"],
            ["chunks transcribed again, in all", str(sum(claims) - len(claims)), ""],
            ["chunks transcribed again for one kill, at most", str(max((k.recomputed_chunks for k in killer.kills), default=0)), "1"],
            ["slowest resumption", f"{max(resumed, default=0):.1f} s", f"<= {GOAL_SECONDS:.0f} s"],
            ["events never delivered", str(missing), "0"],
            ["events under two ids", str(_under_two_ids(counts)), "0"],
            ["deliveries repeated (same id, same bytes)", str(repeated), "few"],
            ["deliveries repeated with other bytes", str(sum(len(b) > 1 for b in subscriber.bodies.values())), "0"],
            ["deliveries with a wrong signature", str(subscriber.false_count), "0"],
            ["processes left behind", str(len(left)), "0"],
            ["seconds per job, calm and under fire", f"{calm_seconds:.1f} and {seconds / asked.jobs:.1f}", ""],
        ],
    )  # fmt: skip


def _wait_for_deliveries(rows: Rows, subscriber: Subscriber) -> int:
    """Wait for the last deliveries (failed ones are retried after a while); return how many are missing."""
    deadline = time.monotonic() + 120
    while True:
        uuids = {row.uuid for row in rows.read("SELECT uuid FROM events WHERE recording_id >= :first")}
        missing = len(uuids - subscriber.received.keys())
        if not missing or time.monotonic() > deadline:
            return missing
        time.sleep(0.5)


def _under_two_ids(events: Sequence[Any]) -> int:
    """Count facts that can occur once per recording and have two events."""
    return sum(count > 1 for count in Counter((row.recording_id, row.type) for row in events).values())


def print_kills(title: str, kills: Sequence[Kill]) -> None:
    """Print a line for each kind of kill."""
    lines = []
    for kind in KINDS:
        of_kind = [kill for kill in kills if kill.kind == kind]
        resumed = [kill.resumed_after for kill in of_kind if kill.resumed_after is not None]
        lines.append(
            [
                kind,
                str(len(of_kind)),
                str(len(resumed)),
                str(sum(kill.recomputed_chunks for kill in of_kind)),
                f"{statistics.median(resumed):.1f}" if resumed else "-",
                f"{max(resumed):.1f}" if resumed else "-",
            ]
        )
    print_table(
        title,
        ["killed", "times", "hit work", "chunks transcribed again", "resumed after s, median", "at most"],
        lines,
    )


if __name__ == "__main__":
    main()
