"""Kill processes repeatedly while workers process a queue of jobs, and count what is lost.

python -m benchmarks.crash [--jobs 30] [--seed 1] [--every 3] [--database URL]

Starts a whole server (`speakr up`, two workers, embedded engine), transcribes five recordings undisturbed, then uploads
them in turn up to the given number of jobs. Meanwhile it sends SIGKILL to a process of a random kind at random moments
until all jobs are done. Only the supervisor restarts processes. A receiver in this process checks the deliveries of a
webhook.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.killing import KINDS, Kill, Killer, Rows
from benchmarks.speech_audio import clips, wav, with_pauses
from benchmarks.stack import WholeServer, machine, print_table
from speakr.db import make_engine
from speakr.operations.receiver import is_genuine

FINAL = {"COMPLETED", "FAILED"}
DISTINCT = 5
PAUSE_SECONDS = 27.0
"""Seconds between two sentences: each becomes a chunk, so a job has several without taking minutes."""
GOAL_SECONDS = 15.0


def recordings(rng: random.Random) -> list[bytes]:
    """Make some recordings of four to seven sentences, far apart."""
    pieces = clips()
    made = []
    for number in range(DISTINCT):
        chosen = [rng.choice(pieces) for _ in range(4 + number % 4)]
        made.append(wav(with_pauses(chosen, PAUSE_SECONDS)))
    return made


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
