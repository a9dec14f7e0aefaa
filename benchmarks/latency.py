"""How long an uploaded recording waits for an idle worker: from the 202 to the claim of its job.

python -m benchmarks.latency [--uploads 100] [--workers 2] [--database URL]

Uploads one short recording after the other, each when the previous one is done and every work horse has ended. The time
of the claim is `jobs.started_at`; the time of the response is when the client has read it. Both come from this
machine's clock. A negative wait means that the worker was faster than the response. Prints the memory of an idle worker
too, which is the price of the speed.
"""

from __future__ import annotations

import argparse
import math
import socket
import statistics
import struct
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, text

from benchmarks.stack import Server, machine, print_table
from benchmarks.uploads import head, make_user, read_answer, tail
from speakr.db import make_engine

RATE, SECONDS = 16_000, 1.0
TIMEOUT_SECONDS = 60.0
GOAL_P50_MS, GOAL_P99_MS = 60.0, 250.0

UNFINISHED = text("SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')")
CLAIMED = text("SELECT started_at FROM jobs WHERE recording_id = :recording AND kind = 'transcribe'")


def tone(number: int) -> bytes:
    """Return a second of a tone as WAV, another one for each number."""
    count = round(RATE * SECONDS)
    samples = (round(3000 * math.sin(2 * math.pi * (200 + number) * n / RATE)) for n in range(count))
    data = struct.pack(f"<{count}h", *samples)
    fmt = struct.pack("<IHHIIHH", 16, 1, 1, RATE, RATE * 2, 2, 16)
    return (
        b"RIFF"
        + struct.pack("<I", 36 + len(data))
        + b"WAVEfmt "
        + fmt
        + b"data"
        + struct.pack("<I", len(data))
        + data
    )


def upload(port: int, token: str, data: bytes) -> tuple[int, float]:
    """Upload a recording; return its id and the time of the response, in seconds since 1970."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head(token, len(data)) + data + tail())
        answer = read_answer(connection, time.perf_counter())
        answered = time.time()
    assert answer.status == 202, answer
    return int(str(answer.body["id"])), answered


class Watch:
    """Observes the rows and the processes from outside."""

    def __init__(self, server: Server, engine: Engine) -> None:
        self._server = server
        self._engine = engine

    def wait_until_idle(self) -> None:
        """Wait until no job is left and no worker has a horse."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while self._is_busy():
            assert time.monotonic() < deadline, "the workers do not finish"
            time.sleep(0.02)
        time.sleep(0.1)

    def _is_busy(self) -> bool:
        with self._engine.connect() as connection:
            if connection.scalar(UNFINISHED):
                return True
        return any(len(self._server.pids_below(worker.pid)) > 1 for worker in self._server.workers)

    def claimed_at(self, recording: int) -> float:
        """Return when the job was first claimed, in seconds since 1970."""
        with self._engine.connect() as connection:
            found = connection.scalar(CLAIMED, {"recording": recording})
        moment = found if isinstance(found, datetime) else datetime.fromisoformat(str(found))
        return moment.replace(tzinfo=UTC).timestamp()


def memory(server: Server) -> dict[str, float]:
    """Return the resident and the proportional share of memory of an idle worker, in MiB (proc(5))."""
    found: dict[str, list[float]] = {"Rss": [], "Pss": []}
    for worker in server.workers:
        lines = Path(f"/proc/{worker.pid}/smaps_rollup").read_text().splitlines()
        for line in lines:
            name, _, rest = line.partition(":")
            if name in found:
                found[name].append(int(rest.split()[0]) / 1024)
    return {name: statistics.mean(values) for name, values in found.items()}


def main() -> None:
    """Run the benchmark."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--uploads", type=int, default=100)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--database", default="", help="a PostgreSQL URL; SQLite by default")
    asked = options.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="spk-b-") as folder,
        Server(Path(folder), asked.database, workers=asked.workers) as server,
    ):
        token = make_user(server, "bench")
        engine = make_engine(asked.database or f"sqlite:///{folder}/speakr.db")
        watch = Watch(server, engine)
        time.sleep(3.0)  # until the workers are idle
        idle = memory(server)
        waits = []
        for number in range(asked.uploads + 1):
            recording, answered = upload(server.port, token, tone(number))
            watch.wait_until_idle()
            if number:  # the first one warms up
                waits.append((watch.claimed_at(recording) - answered) * 1000)
        engine.dispose()
        cuts = statistics.quantiles(waits, n=100, method="inclusive")
        rows = [
            ["202 to claim, p50, ms", f"{statistics.median(waits):.0f}", f"{GOAL_P50_MS:.0f}"],
            ["202 to claim, p99, ms", f"{cuts[98]:.0f}", f"{GOAL_P99_MS:.0f}"],
            ["202 to claim, min / max, ms", f"{min(waits):.0f} / {max(waits):.0f}", ""],
            ["idle worker, resident / proportional, MiB", f"{idle['Rss']:.0f} / {idle['Pss']:.0f}", ""],
        ]
        title = f"{machine()}; {asked.uploads} uploads, {asked.workers} idle workers, {server.database_name}"
        print_table(title, ["what", "measured", "goal: at most"], rows)


if __name__ == "__main__":
    main()
