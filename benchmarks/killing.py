"""Kill processes of a whole server at random moments, and see who continues their work."""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from benchmarks.stack import WholeServer

KINDS = ("horse", "worker", "worker and horse", "web", "dispatcher", "redis", "redis and its data")


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
