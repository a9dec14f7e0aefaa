"""A whole server in real processes, each of which can be killed and started again."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import redis
import requests
from sqlalchemy import text

from speakr.db import make_engine
from tests.servers import RedisServer
from tests.support.loop_blocks import assert_loop_was_free

ROOT = Path(__file__).resolve().parents[2]

WEB, DISPATCHER, WORKERS = "web", "dispatcher", ("worker-1", "worker-2")
EVERYBODY = (WEB, *WORKERS, DISPATCHER)

TOKEN = "spk_" + "crash" * 10
FINAL = {"COMPLETED", "FAILED"}


def wait_for(is_true: Callable[[], Any], what: str, seconds: float = 120.0) -> Any:
    """Ask until the answer is truthy, and return it."""
    deadline = time.monotonic() + seconds
    while True:
        found = is_true()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Deployment:
    """Redis, web, two workers and a dispatcher. A test must restart what it kills."""

    def __init__(
        self,
        folder: Path,
        database_url: str,
        server: RedisServer,
        *,
        worker: str,
        settings: Mapping[str, str],
    ) -> None:
        self.folder = folder
        self.redis = server
        self.log = folder / "log"
        self.mark = uuid.uuid4().hex
        self.url = f"http://127.0.0.1:{free_port()}"
        self._worker = worker
        self.kills: Counter[str] = Counter()
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._database = make_engine(database_url)
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.headers["Authorization"] = f"Bearer {TOKEN}"
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "SPEAKR_TEST_MARK": self.mark,
            "EMBEDDING_MODEL_NAME": "off",
            "SPEAKR_SECRET_KEY": "a secret key for tests, long enough to pass",
            "SPEAKR_BOOTSTRAP_TOKEN": TOKEN,
            "SPEAKR_DATA": str(folder / "data"),
            "SPEAKR_SCRATCH": str(folder / "scratch"),
            "SPEAKR_BIND": self.url.removeprefix("http://"),
            "SPEAKR_RATE_LIMITS": "no",
            "SPEAKR_MIN_FREE_DISK_MB": "1",
            "SPEAKR_WORKERS": str(len(WORKERS)),
            "WEBHOOK_INTRANET_HOST_ALLOWLIST": "127.0.0.1/32",
            "DATABASE_URL": database_url,
            "REDIS_URL": server.url,
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            **settings,
        }

    # -- its processes

    def open(self) -> None:
        """Migrate, create the first user, start all processes."""
        for name in ("data", "scratch"):
            (self.folder / name).mkdir()
        subprocess.run(
            [sys.executable, "-m", "speakr", "prepare", "--no-sample"],
            env=self._environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        self.start(*EVERYBODY)
        self.wait_until_ready()

    def close(self) -> None:
        """Kill all remaining processes."""
        self._http.close()
        self._database.dispose()
        for name in EVERYBODY:
            self.kill(name)
        assert_loop_was_free(self.log)

    def _command(self, name: str) -> list[str]:
        if name == WEB:
            configuration = str(ROOT / "config" / "gunicorn.conf.py")
            return [sys.executable, "-m", "gunicorn", "-c", configuration, "wsgi:app"]
        if name == DISPATCHER:
            return [sys.executable, "-m", "speakr", "dispatch-webhooks"]
        return [sys.executable, self._worker]

    def start(self, *names: str) -> None:
        """Start these, where they do not run."""
        for name in names:
            child = self._children.get(name)
            if child is None or child.poll() is not None:
                with self.log.open("ab") as log:
                    self._children[name] = subprocess.Popen(
                        self._command(name), env=self._environment, cwd=ROOT,
                        stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0,
                    )  # fmt: skip

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a process, SIGKILL to its children too, and wait for its end."""
        child = self._children.get(name)
        if child is None:
            return
        self.kills[name] += number is signal.SIGKILL
        family = [child.pid, *children_of(child.pid)] if number is signal.SIGKILL else [child.pid]
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        child.wait(timeout=60)

    def kill_parent_only(self, name: str) -> None:
        """Kill a process and leave its children to themselves."""
        self._children[name].kill()
        self._children[name].wait()

    def is_running(self, name: str) -> bool:
        return self._children[name].poll() is None

    def pid(self, name: str) -> int:
        return self._children[name].pid

    def horses(self) -> dict[str, int]:
        """Return the work horses there are, by worker."""
        found = {name: children_of(self.pid(name)) for name in WORKERS if self.is_running(name)}
        return {name: pids[0] for name, pids in found.items() if pids}

    def processes(self) -> dict[int, str]:
        """Return the command lines of all living processes of this deployment, by id, without Redis."""
        wanted = f"SPEAKR_TEST_MARK={self.mark}".encode()
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                    if command:  # the dead have none
                        found[int(folder.name)] = command
        return found

    def strays(self) -> dict[int, str]:
        """Return processes that must not exist when all work is done."""
        expected = {child.pid for child in self._children.values() if child.poll() is None}
        if self.is_running(WEB):
            expected |= set(children_of(self.pid(WEB)))
        return {pid: command for pid, command in self.processes().items() if pid not in expected}

    def make_whole(self) -> None:
        """Start what is missing."""
        if not self._redis_answers():
            self.redis.kill()
            self.redis.start()
        self.start(*EVERYBODY)
        self.wait_until_ready()

    def _redis_answers(self) -> bool:
        with redis.Redis.from_url(self.redis.url) as connection, contextlib.suppress(redis.RedisError):
            return bool(connection.ping())
        return False

    def wait_until_ready(self) -> None:
        def is_ready() -> bool:
            for name, child in self._children.items():
                assert child.poll() is None, f"{name} has ended: {self.log.read_text()[-3000:]}"
            with contextlib.suppress(requests.RequestException):
                return self._http.get(f"{self.url}/readyz", timeout=5).status_code == 200
            return False

        wait_for(is_ready, "ready", 90)

    def lose_redis(self, *, with_data: bool) -> None:
        """Kill Redis; with its data, it will begin empty."""
        self.redis.kill()
        if with_data:
            for path in self.redis.folder.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    # -- its users

    def call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """Send a request as the one user."""
        return self._http.request(method, f"{self.url}/api/v1{path}", timeout=90, **arguments)

    def get(self, path: str) -> Any:
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def upload(self, audio: bytes, *, headers: Mapping[str, str] | None = None, **fields: str) -> int:
        """Upload and return the recording's id."""
        answer = self.call(
            "POST",
            "/recordings/upload",
            files={"file": ("speech.wav", audio)},
            data={"title": "A recording", **fields},
            headers=headers,
        )
        assert answer.status_code == 202, answer.text
        return int(answer.json()["id"])

    def status(self, recording_id: int) -> dict[str, Any]:
        return self.get(f"/recordings/{recording_id}/status")

    def wait_until_done(self, recording_id: int, seconds: float = 240.0, status: str = "COMPLETED") -> None:
        def is_done() -> bool:
            return self.status(recording_id)["status"] in FINAL

        wait_for(is_done, f"recording {recording_id} done, but {self.status(recording_id)}", seconds)
        found = self.get(f"/recordings/{recording_id}")
        assert found["status"] == status, found["error_message"]

    def transcript(self, recording_id: int) -> bytes:
        """Return the transcript as JSON, without the ids of its segments, which differ between recordings."""
        answer = self.call("GET", f"/recordings/{recording_id}/transcript", params={"format": "json"})
        assert answer.status_code == 200
        shown = answer.json()
        for segment in shown["segments"]:
            del segment["id"]
        return json.dumps(shown, sort_keys=True).encode()

    def job(self, recording_id: int, kind: str = "transcribe") -> dict[str, Any]:
        """Return the newest job of a recording as users see it."""
        jobs = self.get(f"/jobs?recording_id={recording_id}")["jobs"]
        return next(job for job in jobs if job["kind"] == kind)

    # -- its blobs and rows, read only

    def blobs(self, kind: str) -> list[Path]:
        """Return the files of stored blobs: audio, or pcm (decoded)."""
        return sorted(path for path in (self.folder / "data" / "blobs" / kind).rglob("*") if path.is_file())

    def scratch_folders(self) -> list[Path]:
        """Return the folders in which work horses decode."""
        return list((self.folder / "scratch").glob("speakr-job-*"))

    def half_written(self) -> list[Path]:
        """Return the files of blobs that are not complete."""
        return [
            path for path in (self.folder / "data" / "blobs" / ".partial").glob("*") if path.stat().st_size
        ]

    def rows(self, query: str, **parameters: Any) -> list[Any]:
        with self._database.connect() as connection:
            return list(connection.execute(text(query), parameters).all())

    def event_types(self, recording_id: int) -> list[str]:
        query = "SELECT type FROM events WHERE recording_id = :id ORDER BY id"
        return [row.type for row in self.rows(query, id=recording_id)]

    def workers_at(self, recording_id: int) -> list[str]:
        """Return which workers are transcribing chunks of a recording now."""
        query = (
            "SELECT job_chunks.worker FROM job_chunks JOIN jobs ON jobs.id = job_chunks.job_id "
            "WHERE jobs.recording_id = :id AND job_chunks.state = 'running' ORDER BY job_chunks.position"
        )
        holders = [row.worker for row in self.rows(query, id=recording_id)]
        return [name for holder in holders for name in WORKERS if f"-{self.pid(name)}-" in holder]

    def setbacks(self, recording_id: int) -> tuple[int, int]:
        """Return how often the job of a recording crashed, and how often its lease ended, since it made progress."""
        query = "SELECT crashes, losses FROM jobs WHERE recording_id = :id AND kind = 'transcribe'"
        ((crashes, losses),) = self.rows(query, id=recording_id)
        return crashes, losses

    def owner_of(self, recording_id: int) -> str:
        """Return which worker owns the recording's running job; wait for it to run."""
        wait_for(lambda: any(self.owns(name, recording_id) for name in WORKERS), "an owner")
        return next(name for name in WORKERS if self.owns(name, recording_id))

    def owns(self, name: str, recording_id: int) -> bool:
        """Tell whether a worker owns the recording's running job."""
        query = "SELECT worker FROM jobs WHERE recording_id = :id AND state = 'running'"
        return any(f"-{self.pid(name)}-" in row.worker for row in self.rows(query, id=recording_id))

    def kill_owner(self, recording_id: int, number: int = signal.SIGKILL) -> None:
        """Kill the work horse that owns the recording's running job, and wait until it owns it no more."""
        owner = self.owner_of(recording_id)
        query = "SELECT fence FROM jobs WHERE recording_id = :id AND state = 'running'"
        claim = self.rows(query, id=recording_id)
        os.kill(self.horses()[owner], number)
        wait_for(lambda: self.rows(query, id=recording_id) != claim, "the end of the claim")

    def forget_deaths(self) -> None:
        """Forget the deaths of work horses in earlier tests: deaths close together are no job's fault."""
        with self._database.begin() as connection:
            connection.execute(text("UPDATE jobs SET died_at = NULL"))


def children_of(pid: int) -> list[int]:
    """Return the living children of a process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                found.append(int(path.parent.name))
    return found
