"""Speed of lists: a library of 10,000 recordings with transcripts of 20 kB, 8 connections.

python -m benchmarks.api [--recordings 10000] [--seconds 5] [--database URL]

Starts its own Redis and gunicorn on a free port, fills a database (SQLite, or the PostgreSQL URL given), and sends
requests over 8 keep-alive connections from another process. Prints requests per second, the median and the 95th
percentile, and the web process's CPU time per request, which does not depend on other processes of the machine.
"""

from __future__ import annotations

import argparse
import http.client
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.stack import Server, machine, print_table

CONNECTIONS = 8
SEGMENTS = 120
WORDS = [
    "we",
    "talked",
    "about",
    "the",
    "budget",
    "and",
    "then",
    "somebody",
    "asked",
    "when",
    "the",
    "new",
    "customer",
    "would",
    "like",
    "to",
    "see",
    "a",
    "first",
    "draft",
]


def fill(recordings: int) -> str:
    """Write a library and return a token for it. Runs in a process with the server's environment."""
    from datetime import timedelta

    from sqlalchemy import insert

    from speakr.app import create_app
    from speakr.db import unit_of_work
    from speakr.domain.clock import now
    from speakr.domain.recordings import RecordingStatus
    from speakr.models import Recording, Segment
    from speakr.services.accounts import tokens, users

    rng = random.Random(1)
    with create_app().app_context():
        with unit_of_work():
            user = users.create(username="bench")
            _, raw = tokens.create(user.id)
            user_id = user.id
        moment = now()
        for first in range(0, recordings, 500):
            with unit_of_work() as session:
                batch = range(first, min(first + 500, recordings))
                ids = session.scalars(
                    insert(Recording).returning(Recording.id),
                    [
                        {
                            "user_id": user_id,
                            "title": f"Meeting {n}",
                            "original_filename": "a.wav",
                            "mime_type": "audio/wav",
                            "file_size": 1_000_000 + n,
                            "sha256": f"{n:064d}",
                            "storage_key": f"audio/00/{n:032d}",
                            "status": RecordingStatus.COMPLETED,
                            "created_at": moment - timedelta(minutes=n),
                            "completed_at": moment,
                            "meeting_date": moment,
                            "audio_duration": 1800.0,
                            "has_transcription": True,
                            "has_summary": True,
                            "summary": "## Summary\n" + "- a point\n" * 40,
                            "participants": "Ann, Bob",
                        }
                        for n in batch
                    ],
                ).all()
                session.execute(
                    insert(Segment),
                    [
                        {
                            "recording_id": recording_id,
                            "position": position,
                            "start": position * 15.0,
                            "end": position * 15.0 + 14,
                            "speaker": f"SPEAKER_0{position % 3}",
                            "confidence": 0.9,
                            "text": " ".join(rng.choices(WORDS, k=33)),
                            "words": [],
                        }
                        for recording_id in ids
                        for position in range(SEGMENTS)
                    ],
                )
        return raw


def ask(port: int, token: str, paths: list[str], until: float, answers: multiprocessing.Queue) -> None:
    """Send requests over one connection until the time is up; put their durations into the queue."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    rng = random.Random(os.getpid())
    taken: list[float] = []
    while time.time() < until:
        began = time.perf_counter()
        connection.request("GET", rng.choice(paths), headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        taken.append(time.perf_counter() - began)
    answers.put(taken)


def load(server: Server, token: str, paths: list[str], seconds: float) -> tuple[float, float, float, float]:
    """Return requests/s, median ms, p95 ms and web CPU ms per request."""
    answers: multiprocessing.Queue = multiprocessing.Queue()
    cpu_before, until = server.web_cpu_seconds(), time.time() + seconds
    clients = [
        multiprocessing.Process(target=ask, args=(server.port, token, paths, until, answers))
        for _ in range(CONNECTIONS)
    ]
    for client in clients:
        client.start()
    taken = [duration for _ in clients for duration in answers.get()]
    for client in clients:
        client.join()
    cpu = server.web_cpu_seconds() - cpu_before
    return (
        len(taken) / seconds,
        statistics.median(taken) * 1000,
        statistics.quantiles(taken, n=20)[18] * 1000,
        cpu / len(taken) * 1000,
    )


def main() -> None:
    """Run the benchmark."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--recordings", type=int, default=10_000)
    options.add_argument("--seconds", type=float, default=5.0)
    options.add_argument("--database", default="")
    options.add_argument("--fill", action="store_true", help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.fill:
        sys.stdout.write(fill(asked.recordings))
        return
    with (
        tempfile.TemporaryDirectory(prefix="spk-b-") as folder,
        Server(Path(folder), asked.database) as server,
    ):
        token = subprocess.run(
            [sys.executable, "-m", "benchmarks.api", "--fill", "--recordings", str(asked.recordings)],
            env=server.environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        rows = []
        for name, paths in {
            "list of 25": ["/api/v1/recordings?per_page=25"],
            "list of 25, page 1-300": [
                f"/api/v1/recordings?per_page=25&page={page}" for page in range(1, 301)
            ],
            "stats": ["/api/v1/stats"],
            "detail": [f"/api/v1/recordings/{number}" for number in range(1, asked.recordings + 1)],
            "status": [f"/api/v1/recordings/{number}/status" for number in range(1, asked.recordings + 1)],
            "healthz": ["/healthz"],
        }.items():
            load(server, token, paths, 1.0)
            runs = [load(server, token, paths, asked.seconds) for _ in range(3)]
            rate, median, p95, cpu = (statistics.median(run[column] for run in runs) for column in range(4))
            rows.append([name, f"{rate:.0f}", f"{median:.1f}", f"{p95:.1f}", f"{cpu:.2f}"])
        print_table(
            f"{machine()}; {asked.recordings} recordings, {server.database_name}, {CONNECTIONS} connections, medians of 3",
            ["request", "per second", "median ms", "p95 ms", "web CPU ms"],
            rows,
        )


if __name__ == "__main__":
    main()
