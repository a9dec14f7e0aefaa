"""A server in real processes, seen from the street: sockets, the disk it writes to, its tables, its log."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import requests

from tests.conftest import SECRET, multipart
from tests.crash.deployment import children_of
from tests.servers import redis_server
from tests.support.loop_blocks import assert_loop_was_free

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_SECONDS = 90.0
STOP_SECONDS = 60.0
MEGABYTE = 1024 * 1024
LIMIT_MB = 4

ALICE, BOB = "alice" * 8, "bob" * 12
UPLOAD = "/api/v1/recordings/upload"
TABLES = ("recordings", "jobs", "events", "deliveries", "idempotency_keys")

SERVER_PATH = re.compile(r"(?:^|[\s\"'(:=])/\w")


def wait_for(is_true: Callable[[], Any], what: str, seconds: float = TIMEOUT_SECONDS) -> Any:
    """Ask until the answer is truthy, and return it."""
    deadline = time.monotonic() + seconds
    while True:
        found = is_true()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


@dataclass(frozen=True)
class Kept:
    """All that an upload can leave behind."""

    rows: dict[str, int]
    blobs: frozenset[str]
    temporary: frozenset[str]


class IntakeServer:
    """Web, a Redis of its own, and workers on request.

    A worker answers any notification in Redis, so no test may share its Redis with others.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self._data, self._scratch = folder / "data", folder / "scratch"
        self._log = folder / "log"
        self._children: list[subprocess.Popen[bytes]] = []
        self._servers = contextlib.ExitStack()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self._listener.getsockname()[1]
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(self._scratch),
            "EMBEDDING_MODEL_NAME": "off",
            "SPEAKR_SECRET_KEY": SECRET,
            "SPEAKR_DATA": str(self._data),
            "SPEAKR_BIND": f"fd://{self._listener.fileno()}",
            "SPEAKR_RATE_LIMITS": "no",
            "SPEAKR_LOG_LEVEL": "WARNING",
            "SPEAKR_MIN_FREE_DISK_MB": "1",
            "SPEAKR_MAX_FILE_SIZE_MB": str(LIMIT_MB),
            "SPEAKR_MAX_AUDIO_ONLY_VIDEO_SIZE_MB": str(LIMIT_MB),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            **settings,
        }
        self.blob_folder = Path(self._environment.get("SPEAKR_STORAGE_URL", self._data / "blobs"))

    def __enter__(self) -> Self:
        for folder in (self._data, self._scratch):
            folder.mkdir(exist_ok=True)
        self._environment["REDIS_URL"] = self._servers.enter_context(redis_server()).url
        self.start_web()
        people = self._start("-m", "tests.intake.people", f"alice={ALICE}", f"bob={BOB}")
        assert people.wait(timeout=60) == 0, self.log
        assert self.is_well()
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._children:
            child.terminate()
        try:
            for child in self._children:
                child.wait(timeout=STOP_SECONDS)
        finally:
            for child in self._children:
                child.kill()
                child.wait()
            self._servers.close()
            self._listener.close()
        assert_loop_was_free(self._log)

    def start_web(self) -> None:
        """Start the web process; meanwhile connections wait at the listener, which is the test's."""
        configuration = str(Path(__file__).with_name("gunicorn_of_tests.py"))
        self._web = self._start("-m", "gunicorn", "-c", configuration, "wsgi:app")

    def kill_web(self) -> None:
        """Kill the web process with SIGKILL, and its workers."""
        for pid in [self._web.pid, *children_of(self._web.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._web.wait(timeout=STOP_SECONDS)

    def start_worker(self) -> subprocess.Popen[bytes]:
        """Start a worker for the uploaded recordings."""
        return self._start("worker.py")

    def start_dispatcher(self) -> subprocess.Popen[bytes]:
        """Start the dispatcher, which sends to webhooks."""
        return self._start("-m", "speakr", "dispatch-webhooks")

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, *arguments],
                env=self._environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[self._listener.fileno()],
            )
        self._children.append(child)
        return child

    # -- asking

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_SECONDS)

    def request(self, method: str, path: str, *, token: str = ALICE, **arguments: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}", **arguments.pop("headers", {})}
        with requests.Session() as session:
            session.trust_env = False
            return session.request(
                method,
                f"http://127.0.0.1:{self.port}{path}",
                headers=headers,
                timeout=TIMEOUT_SECONDS,
                **arguments,
            )

    def get(self, path: str, token: str = ALICE) -> Any:
        answer = self.request("GET", path, token=token)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def upload(self, data: bytes, filename: str = "meeting.wav", **fields: Any) -> requests.Response:
        """Upload as Alice, or as the user of `token`."""
        token, headers = fields.pop("token", ALICE), fields.pop("headers", {})
        body, content_type = multipart(data, filename, fields)
        return self.request(
            "POST", UPLOAD, token=token, data=body, headers={"Content-Type": content_type, **headers}
        )

    def is_well(self) -> bool:
        """Return whether the server answers a new client."""
        return self.request("GET", "/healthz").status_code == 200

    # -- looking behind it

    def kept(self) -> Kept:
        """Look at everything that is stored, finished or not."""
        with contextlib.closing(
            sqlite3.connect(f"file:{self._data / 'speakr.db'}?mode=ro", uri=True)
        ) as database:
            rows = {
                table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - our own names
                for table in TABLES
            }
        files = {path for path in self.blob_folder.rglob("*") if path.is_file()}
        half = {path for path in files if ".partial" in path.parts}
        return Kept(
            rows,
            frozenset(path.name for path in files - half),
            frozenset(path.name for path in [*half, *self._scratch.iterdir()]),
        )

    @contextlib.contextmanager
    def keeps_nothing(self) -> Iterator[None]:
        """Check that what happens meanwhile leaves no row, no blob and no temporary file, and the server well."""
        before = self.kept()
        assert before.temporary == frozenset()
        yield
        wait_for(lambda: self.kept() == before, f"nothing kept of it, but {self.kept()} after {before}")
        assert self.is_well()

    @property
    def log(self) -> str:
        return self._log.read_text()


def head(*, length: int | None, content_type: str, token: str = ALICE, **headers: str) -> bytes:
    """Return the head of an upload request; without a length it is chunked (RFC 9112, section 7.1)."""
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return (
        f"POST {UPLOAD} HTTP/1.1\r\nHost: door\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: {content_type}\r\n{size}\r\n{more}\r\n"
    ).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


def read_answer(connection: socket.socket) -> tuple[int, bytes]:
    """Read one response; status 0 when the server closed the connection without one."""
    response = http.client.HTTPResponse(connection)
    try:
        response.begin()
        return response.status, response.read()
    except (http.client.BadStatusLine, ConnectionError):
        return 0, b""


def assert_refused(answer: requests.Response, status: int, code: str) -> dict[str, Any]:
    """Check the error shape, and that it shows nothing of the server; return the body."""
    assert answer.headers["Content-Type"].startswith("application/json"), answer.text
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), body
    assert set(body) >= {"error", "code", "request_id"}
    assert body["error"][0].isupper()
    assert not SERVER_PATH.search(answer.text), answer.text
    for word in ("Traceback", "ffmpeg", "av.", "sqlite", "Errno"):
        assert word not in answer.text
    return body
