"""What a bystander notices while one client attacks.

    python -m benchmarks.attacks [--only slow_readers history ...] [--postgresql] [--list]

A server with its documented limits runs on this machine, and attacks it in turn: each is bounded in time and number and
stops by itself. A bystander, another user in another process, asks for `GET /healthz` twenty times a second and
for a list three times in two seconds. Printed per attack: the bystander's p99 and longest wait, its failed requests, how long the event loop stood
still (from the server's log), and the memory of the web processes afterwards. The server starts anew when it is lost.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from benchmarks.attacks.requests import ATTACKS, Attacker
from benchmarks.large_library import write
from benchmarks.stack import ROOT, Server, machine, print_table
from benchmarks.uploads import upload
from speakr.db import make_engine
from speakr.models import Recording
from tests.servers import postgres_server

GOAL_P99_SECONDS, GOAL_MEMORY_MIB = 0.25, 400
RECORDINGS = 200
MIB = 1024 * 1024
AFTER_SECONDS = 1.0

_SECONDS = re.compile(r"(?<![a-z_])seconds(?:\"|')?[=:]\s*([0-9.]+)")


@dataclass(frozen=True)
class Seen:
    """What a bystander has noticed of one attack."""

    name: str
    latencies: Sequence[float]
    failures: int
    blocked_seconds: float
    memory_mib: float
    seconds: float

    @property
    def p99(self) -> float:
        """Return the latency that one request in a hundred exceeds."""
        ordered = sorted(self.latencies) or [0.0]
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]

    def row(self) -> list[str]:
        """Return the cells of the table."""
        holds = self.p99 <= GOAL_P99_SECONDS and not self.failures and self.memory_mib <= GOAL_MEMORY_MIB
        return [
            self.name,
            f"{self.p99 * 1000:.0f}",
            f"{max(self.latencies, default=0) * 1000:.0f}",
            str(self.failures),
            f"{self.blocked_seconds:.1f}",
            f"{self.memory_mib:.0f}",
            f"{self.seconds:.0f}",
            "yes" if holds else "NO",
        ]


class Bystander:
    """The process of another user."""

    def __init__(self, port: int, token: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.attacks.bystander", str(port), token],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def take(self) -> dict[str, Any]:
        """Return what it has measured since the last call."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def main() -> None:
    """Attack, and print what was noticed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="ATTACK", help="names of attacks, as --list prints them")
    parser.add_argument("--postgresql", action="store_true", help="on PostgreSQL instead of SQLite")
    parser.add_argument("--list", action="store_true", help="print the attacks and stop")
    asked = parser.parse_args()
    if asked.list:
        for attack in ATTACKS:
            print(f"{attack.__name__}: {attack.__doc__}")
        return
    chosen = [attack for attack in ATTACKS if not asked.only or attack.__name__ in asked.only]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spk-attacks-")))
        url = (
            stack.enter_context(postgres_server())
            if asked.postgresql
            else f"sqlite:///{folder / 'speakr.db'}"
        )
        write(url, RECORDINGS, lambda _: None)
        print(f"{machine()}, {'PostgreSQL' if asked.postgresql else 'SQLite'}, {RECORDINGS} recordings")
        server = stack.enter_context(Server(folder, url, SPEAKR_RATE_LIMITS="yes"))
        rows = [seen.row() for seen in _attack_with(server, folder, url, chosen)]
    print_table(
        f"Goal: p99 <= {GOAL_P99_SECONDS * 1000:.0f} ms, nothing failed, memory <= {GOAL_MEMORY_MIB} MiB.",
        ["attack", "p99 ms", "longest ms", "failed", "loop blocked s", "memory MiB", "took s", "holds"],
        rows,
    )


def _attack_with(
    server: Server, folder: Path, url: str, attacks: Sequence[Callable[[Attacker], None]]
) -> list[Seen]:
    tokens = {name: _token(server, name) for name in ("tenant0", "tenant1")}
    attacker = Attacker(
        server.port, tokens["tenant0"], _recordings_of(url, 0), _unfinished(server, tokens["tenant0"])
    )
    log = folder / "log"
    bystander = Bystander(server.port, tokens["tenant1"])
    found = []
    try:
        for attack in (_rest, *attacks):
            _wait_until_well(server)
            bystander.take()
            size = log.stat().st_size
            began = time.monotonic()
            attack(attacker)
            time.sleep(AFTER_SECONDS)
            taken = bystander.take()
            lines = _blocked_lines(log, size)
            seen = Seen(
                attack.__name__.strip("_"),
                taken["latencies"],
                taken["failures"],
                _blocked_seconds(lines),
                server.web_rss_bytes() / MIB,
                time.monotonic() - began,
            )
            print(" ".join(seen.row()), *_longest(lines), sep="\n    ", file=sys.stderr, flush=True)
            found.append(seen)
    finally:
        bystander.close()
    return found


def _rest(_: Attacker) -> None:
    """Do nothing, to have something to compare with."""
    time.sleep(10)


def _token(server: Server, name: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "speakr", "create-token", name],
        env=server.environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def _recordings_of(url: str, tenant: int) -> tuple[int, ...]:
    engine = make_engine(url)
    with engine.connect() as connection:
        owners = connection.scalars(select(Recording.user_id).distinct().order_by(Recording.user_id)).all()
        ids = connection.scalars(
            select(Recording.id).where(Recording.user_id == owners[tenant]).order_by(Recording.id)
        ).all()
    engine.dispose()
    return tuple(ids)


def _unfinished(server: Server, token: str) -> int:
    answer = upload(server.port, token, MIB)
    return int(str(answer.body["id"]))


def _wait_until_well(server: Server) -> None:
    deadline = time.monotonic() + 120
    while True:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{server.port}/healthz", timeout=5),
        ):
            return
        assert time.monotonic() < deadline, "the server does not come back"
        time.sleep(0.2)


def _blocked_lines(log: Path, since: int) -> list[str]:
    with log.open("rb") as opened:
        opened.seek(since)
        return [
            line
            for line in opened.read().decode("utf-8", "replace").splitlines()
            if "event_loop_blocked" in line
        ]


def _longest(lines: Sequence[str]) -> list[str]:
    return sorted(lines, key=lambda line: -_blocked_seconds([line]))[:5]


def _blocked_seconds(lines: Sequence[str]) -> float:
    return sum(float(found[1]) for line in lines if (found := _SECONDS.search(line)))


if __name__ == "__main__":
    main()
