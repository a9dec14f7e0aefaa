"""A server with real sockets for the commands of the pages and for the examples."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from speakr import backends as plumbing
from speakr.backends import Backends
from speakr.db import unit_of_work
from speakr.domain.permissions import Scope
from speakr.domain.transcript import Span
from speakr.jobs import runner, transcribe
from speakr.schema import upgrade
from speakr.services.accounts import tokens, users
from speakr.settings import Settings
from tests.fakes import FakeTranscriber, FakeWriter, MemoryJobNotifier
from tests.support.clips import run_inline

PASSWORD = "correct horse battery"


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with all tables; migrating takes longer than copying."""
    file = tmp_path_factory.mktemp("docs") / "empty.db"
    upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture
def database_url(empty_database: Path, tmp_path: Path) -> str:
    """A database of its own: the pages name ids, which count from 1."""
    file = tmp_path / "docs.db"
    shutil.copy(empty_database, file)
    return f"sqlite:///{file}"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, rate_limits_enabled=True, webhook_allowed_hosts="127.0.0.1/32")


@pytest.fixture
def backends(
    settings: Settings, notifier: MemoryJobNotifier, transcriber: FakeTranscriber, writer: FakeWriter
) -> Backends:
    """Real except for the engines, with a notifier that records notifications."""
    return replace(
        plumbing.connect(settings),
        notifier=notifier,
        make_transcriber=lambda: transcriber,
        make_writer=lambda: writer,
    )


@pytest.fixture
def work(app: Flask, notifier: MemoryJobNotifier, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Do all work that is waiting, here and now."""
    monkeypatch.setattr(transcribe, "find_speech", lambda _: [Span(0.1, 0.4), Span(0.5, 0.9)])

    def answer_all() -> None:
        while notifier.notifications:
            _, job_id, _ = notifier.notifications.pop(0)
            runner.run(job_id)

    return answer_all


class _Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        """Tests have nothing to say about requests."""


@dataclass(frozen=True)
class Server:
    """Where it listens, and the token of its admin."""

    url: str
    token: str


@pytest.fixture
def serve(app: Flask, notifier: MemoryJobNotifier) -> Iterator[Callable[..., Server]]:
    """Serve a WSGI application, by default the app itself. Transcriptions that a request waits for run at once."""
    run_inline(notifier)
    running = []

    def start(application: Callable | None = None) -> Server:
        with unit_of_work():
            admin = users.create(username="admin", password=PASSWORD, is_admin=True)
            _, token = tokens.create(admin.id, scopes=frozenset(Scope))
        server = make_server("127.0.0.1", 0, application or app, threaded=True, request_handler=_Quiet)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        running.append((server, thread))
        return Server(f"http://127.0.0.1:{server.server_port}", token)

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()
