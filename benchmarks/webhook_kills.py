"""G1: the API and the workers are killed repeatedly while they change recordings."""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from benchmarks.stack import ROOT, free_port
from benchmarks.webhook_app import WebhookApp, webhook_app
from benchmarks.webhook_books import Books, balance, watch
from speakr.db import make_engine, unit_of_work
from speakr.domain.events import EventType
from speakr.domain.recordings import RecordingStatus
from speakr.models import Recording
from speakr.services.accounts import tokens
from tests.crash import deployment as stack
from tests.crash import speech
from tests.crash.conftest import WORKER
from tests.crash.provider import Provider
from tests.crash.subscriber import Subscriber
from tests.servers import postgres_server, redis_server

Row = list[str]

SERVERS, CLIENTS, EACH = 3, 4, 50
_BUSY_WORKERS = 4
_ANSWERS = 8
"""Minimum number of responses between two kills."""

_UPLOAD = "/api/v1/recordings/upload"


class _Servers:
    """Some API servers on one database. All clients use the same one; when it is killed, the next one already runs."""

    def __init__(self, made: WebhookApp, token: str) -> None:
        self.token = token
        self._ports = [free_port() for _ in range(SERVERS)]
        self._processes: list[subprocess.Popen[bytes] | None] = [None] * SERVERS
        self._in_use = 0
        self._log = made.settings.data_dir / "web.log"
        self._environment = {
            "PATH": os.environ["PATH"],
            "SPEAKR_WEB_PROCESSES": "1",
            "PYTHONPATH": str(ROOT),
            "SPEAKR_SECRET_KEY": made.settings.secret_key,
            "SPEAKR_DATA": str(made.settings.data_dir),
            "SPEAKR_RATE_LIMITS": "no",
            "SPEAKR_LOG_LEVEL": "WARNING",
            "SPEAKR_MIN_FREE_DISK_MB": "1",
            "DATABASE_URL": made.settings.database_url,
            "REDIS_URL": made.settings.redis_url,
        }

    @property
    def port(self) -> int:
        """The port of the server in use."""
        return self._ports[self._in_use]

    def open(self) -> None:
        """Start them, and wait for the first."""
        for number in range(SERVERS):
            self._start(number)
        self._wait()

    def kill(self) -> None:
        """Kill the server in use with all its processes, and restart it for later."""
        number = self._in_use
        self._kill(number)
        self._start(number)
        self._in_use = (number + 1) % SERVERS
        self._wait()

    def close(self) -> None:
        """Kill all."""
        for number in range(SERVERS):
            self._kill(number)

    def _start(self, number: int) -> None:
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "-c",
            str(ROOT / "config" / "gunicorn.conf.py"),
            "wsgi:app",
        ]
        bind = {"SPEAKR_BIND": f"127.0.0.1:{self._ports[number]}"}
        with self._log.open("ab") as log:
            self._processes[number] = subprocess.Popen(
                command, env={**self._environment, **bind}, cwd=ROOT, stdout=log, stderr=log
            )

    def _kill(self, number: int) -> None:
        process, self._processes[number] = self._processes[number], None
        if process is None:
            return
        for pid in [*stack.children_of(process.pid), process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()

    def _wait(self) -> None:
        def is_well() -> bool:
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/healthz")
                return connection.getresponse().status == 200
            return False

        stack.wait_for(is_well, f"a server ready again: {self._log.read_text()[-2000:]}", 60)


@dataclass(frozen=True)
class _Change:
    """A request that changes something; `word` is unique to it."""

    kind: EventType
    word: str
    method: str
    path: str
    body: bytes
    content_type: str = "application/json"
    recording_id: int = 0

    def is_among(self, books: Books) -> bool:
        """Return whether it was committed."""
        if self.kind is EventType.RECORDING_DELETED:
            return self.recording_id in books.deleted
        return (self.kind, self.word) in books.words


class _Client(threading.Thread):
    """Changes its own recordings, one request after the other, until stopped."""

    def __init__(self, servers: _Servers, recordings: list[int], seed: int) -> None:
        super().__init__(daemon=True)
        self._servers, self._recordings, self._rng = servers, recordings, random.Random(seed)
        self._audio = speech.short_recording()
        self.answered: list[_Change] = []
        self.cut_off: list[_Change] = []
        self.refused: list[tuple[_Change, int, bytes]] = []
        self.must_stop = threading.Event()

    def run(self) -> None:
        """Send requests until stopped."""
        connection = http.client.HTTPConnection("127.0.0.1", self._servers.port, timeout=60)
        while not self.must_stop.is_set():
            change = self._choose()
            try:
                status, body = self._ask(connection, change)
            except (OSError, http.client.HTTPException):
                self.cut_off.append(change)
                connection.close()
                self.must_stop.wait(0.05)
                connection = http.client.HTTPConnection("127.0.0.1", self._servers.port, timeout=60)
                continue
            self._note(change, status, body)
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection, change: _Change) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {self._servers.token}", "Content-Type": change.content_type}
        connection.request(change.method, change.path, change.body or None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def _choose(self) -> _Change:
        word, rng = secrets.token_hex(8), self._rng.random()
        if rng < 0.1 or not self._recordings:
            return _upload(word, self._audio)
        recording_id = self._rng.choice(self._recordings)
        path = f"/api/v1/recordings/{recording_id}"
        if rng < 0.2:
            self._recordings.remove(recording_id)
            return _Change(EventType.RECORDING_DELETED, word, "DELETE", path, b"", recording_id=recording_id)
        if rng < 0.6:
            return _Change(
                EventType.RECORDING_UPDATED, word, "PATCH", path, json.dumps({"title": word}).encode()
            )
        return _Change(
            EventType.RECORDING_UPDATED, word, "PUT", path + "/notes", json.dumps({"notes": word}).encode()
        )

    def _note(self, change: _Change, status: int, body: bytes) -> None:
        if status >= 300:
            self.refused.append((change, status, body))
            return
        if change.kind is EventType.RECORDING_CREATED:
            self._recordings.append(json.loads(body)["id"])
        self.answered.append(change)


def _upload(title: str, audio: bytes) -> _Change:
    body = (
        f'--b\r\nContent-Disposition: form-data; name="title"\r\n\r\n{title}\r\n'
        '--b\r\nContent-Disposition: form-data; name="file"; filename="speech.wav"\r\n\r\n'
    ).encode() + audio + b"\r\n--b--\r\n"  # fmt: skip
    return _Change(
        EventType.RECORDING_CREATED, title, "POST", _UPLOAD, body, "multipart/form-data; boundary=b"
    )


def _write_recordings(made: WebhookApp) -> list[int]:
    """Write recordings that need no work; return their ids."""
    with unit_of_work() as session:
        rows = [
            Recording(
                user_id=made.owner.user_id,
                title=f"Recording {number}",
                status=RecordingStatus.COMPLETED,
                original_filename="speech.wav",
                mime_type="audio/wav",
                file_size=1,
                sha256="0" * 64,
            )
            for number in range(CLIENTS * EACH)
        ]
        session.add_all(rows)
        session.flush()  # to know their ids
        return [row.id for row in rows]


def _kill_the_api(database: str, kills: int) -> Row:
    rng = random.Random(5)
    with webhook_app(database) as made, contextlib.ExitStack() as open_things:
        made.add_webhooks(["https://receiver.example/hook"] * 3)
        token = "spk_" + secrets.token_urlsafe(32)
        with unit_of_work():
            tokens.create(made.owner.user_id, raw=token)
        recordings = _write_recordings(made)
        engine = make_engine(made.settings.database_url)
        open_things.callback(engine.dispose)
        watch(engine)
        servers = _Servers(made, token)
        open_things.callback(servers.close)
        servers.open()
        clients = [_Client(servers, recordings[number::CLIENTS], number) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        for _ in range(kills):
            wanted = _answers(clients) + _ANSWERS
            stack.wait_for(functools.partial(_have_answers, clients, wanted), "served")
            time.sleep(rng.uniform(0.0, 0.2))
            servers.kill()
        for client in clients:
            client.must_stop.set()
        for client in clients:
            client.join()
        servers.close()
        _wait_for_quiet(engine)
        books = balance(engine)
    refused = [one for client in clients for one in client.refused]
    assert not refused, refused[:3]
    cut_off = [change for client in clients for change in client.cut_off]
    answered = [change for client in clients for change in client.answered]
    lost = sum(not change.is_among(books) for change in answered)
    kept = sum(change.is_among(books) for change in cut_off)
    more = f"{len(cut_off)} requests without a response, {kept} of them done all the same"
    return books.row(f"G1 {kills} kills of the API", more, lost)


def _answers(clients: Sequence[_Client]) -> int:
    return sum(len(client.answered) for client in clients)


def _have_answers(clients: Sequence[_Client], wanted: int) -> bool:
    return _answers(clients) >= wanted


def _wait_for_quiet(engine: Engine) -> None:
    """Wait until the database has noticed that its clients are dead; it may still commit what they sent."""
    if engine.dialect.name == "sqlite":
        return
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
        "AND (state = 'active' OR state LIKE 'idle in transaction%')"
    )
    with engine.connect() as connection:
        stack.wait_for(lambda: connection.scalar(others) == 0, "no transaction left", 20)


def _kill_workers(database: str, kills: int) -> Row:
    rng = random.Random(6)
    with contextlib.ExitStack() as open_things:
        folder = Path(open_things.enter_context(tempfile.TemporaryDirectory(prefix="spk-b-")))
        url = f"sqlite:///{folder / 'speakr.db'}"
        if database == "postgresql":
            url = open_things.enter_context(postgres_server())
        redis = open_things.enter_context(redis_server())
        provider = open_things.enter_context(Provider())
        subscriber = open_things.enter_context(Subscriber())
        settings = {"TRANSCRIPTION_BASE_URL": provider.url, "SPEAKR_LOG_LEVEL": "ERROR"}
        made = stack.Deployment(folder, url, redis, worker=WORKER, settings=settings)
        open_things.callback(made.close)
        made.open()
        subscriber.subscribe(made)
        engine = make_engine(url)
        open_things.callback(engine.dispose)
        watch(engine)
        killed: Counter[str] = Counter()
        uploaded = 0
        for _ in range(kills):
            while len(_unfinished(made)) < _BUSY_WORKERS:
                made.upload(speech.middling_recording())
                uploaded += 1
            stack.wait_for(made.horses, "a busy worker", 60)
            time.sleep(rng.uniform(0.0, 1.0))
            victim, horse = rng.choice(list(made.horses().items()) or [(rng.choice(stack.WORKERS), 0)])
            if horse and rng.random() < 0.5:
                killed["work horses"] += 1
                with contextlib.suppress(ProcessLookupError):
                    os.kill(horse, signal.SIGKILL)
            else:
                killed["workers with theirs"] += 1
                made.kill(victim)
            made.start(*stack.WORKERS)
        stack.wait_for(lambda: not _unfinished(made), "all done", 180)
        made.close()
        books = balance(engine)
    words = ", ".join(f"{count} {what}" for what, count in sorted(killed.items()))
    return books.row(
        f"G1 {kills} kills of workers", f"{words}, {uploaded} recordings", uploaded - books.created
    )


def _unfinished(made: stack.Deployment) -> list[Any]:
    return made.rows("SELECT id FROM recordings WHERE status NOT IN ('COMPLETED', 'FAILED')")


def kills(database: str, *, full: bool) -> list[Row]:
    """G1: kill -9 the API while it creates, changes and deletes recordings, and workers while they transcribe."""
    return [_kill_the_api(database, 200 if full else 20), _kill_workers(database, 40 if full else 6)]
