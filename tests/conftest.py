"""Fixtures that every test may use: real databases, real Redis, an app on each, users with tokens."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import redis as redis_package
from flask import Flask
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from sqlalchemy import event

from speakr import backends as plumbing
from speakr.backends import Backends
from speakr.db import db, unit_of_work
from speakr.domain.permissions import DEFAULT_SCOPES, Scope
from speakr.domain.transcript import Span
from speakr.schema import upgrade
from speakr.services.accounts import tokens, users
from speakr.services.recordings import intake
from speakr.services.system import stats
from speakr.settings import Settings
from tests import remembered
from tests.fakes import FakeEmbedder, FakeTranscriber, FakeWriter, MemoryJobNotifier, MemoryLiveFeed
from tests.servers import RedisServer, postgres_database, postgres_server, redis_server
from tests.support import order
from tests.support.apps import BuiltApps, empty_tables, make_slow_parts_quick
from tests.support.audio import multipart, wav
from tests.support.people import Person

__all__ = ["SECRET", "Person", "multipart", "wav"]

# The duration of an example depends on the machine, which may be busy.
hypothesis_settings.register_profile(
    "on any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("on any machine")


@pytest.hookimpl(trylast=True)  # after pytest-randomly
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order.arrange(items, Path(__file__).parent)


@pytest.hookimpl(tryfirst=True)
def pytest_collection() -> None:
    # Importing makes a million objects and hardly any garbage: looking for some took a quarter of the time.
    gc.disable()


def pytest_collection_finish() -> None:
    gc.enable()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


SECRET = "a secret key for tests, long enough to pass"


@pytest.fixture(scope="session")
def redis_process() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with postgres_server() as url:
        upgrade(url)
        yield url


@pytest.fixture
def own_postgres_url(postgres_url: str) -> Iterator[str]:
    """An empty database of the test's own, for servers that leave rows behind."""
    with postgres_database(postgres_url) as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'speakr.db'}"
    upgrade(url)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")


@pytest.hookimpl(tryfirst=True)  # before pytest reads the marks that parametrize
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("on_sqlite") and "database_url" in metafunc.fixturenames:
        metafunc.definition.add_marker(pytest.mark.parametrize("database_url", ["sqlite"], indirect=True))


@pytest.fixture
def settings(database_url: str, redis_process: RedisServer, tmp_path: Path) -> Settings:
    """Settings of a small server; a test may override the fixture or use `dataclasses.replace`."""
    return Settings(
        secret_key=SECRET,
        data_dir=tmp_path,
        database_url=database_url,
        redis_url=redis_process.url,
        rate_limits_enabled=False,
        log_level="ERROR",
        min_free_disk_mb=1,
        embedding_model="off",  # costs every test that transcribes; those of search by meaning turn it on
        diarization=False,  # costs every test that transcribes; those of voices turn it on
        clip_start_seconds=0.3,  # no worker runs unless a test starts one
    )


@pytest.fixture
def notifier() -> MemoryJobNotifier:
    return MemoryJobNotifier()


@pytest.fixture
def transcriber() -> FakeTranscriber:
    return FakeTranscriber()


@pytest.fixture
def writer() -> FakeWriter:
    return FakeWriter()


@pytest.fixture
def embedder() -> FakeEmbedder:
    return FakeEmbedder()


@pytest.fixture
def backends(
    settings: Settings,
    notifier: MemoryJobNotifier,
    transcriber: FakeTranscriber,
    writer: FakeWriter,
    embedder: FakeEmbedder,
) -> Backends:
    """Real storage, database and Redis; a recording notifier and fast engines."""
    return replace(
        plumbing.connect(settings),
        notifier=notifier,
        live=MemoryLiveFeed(),
        make_transcriber=lambda: transcriber,
        make_writer=lambda: writer,
        make_fallback=lambda: None,
        make_embedder=lambda: embedder if settings.embedding_model != "off" else None,
    )


@pytest.fixture
def app(
    settings: Settings,
    backends: Backends,
    built_apps: BuiltApps,
    redis_process: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Flask]:
    """An app on a clean database, in its context; the parts that are slow on purpose are quick."""
    from speakr.jobs import runner, transcribe

    monkeypatch.setattr(transcribe, "_engines", None)
    monkeypatch.setattr(transcribe, "decode_track", remembered.decode_track)
    monkeypatch.setattr(intake, "probe", remembered.probe)
    make_slow_parts_quick(monkeypatch)
    built_apps.times.replace_threads(monkeypatch)
    made = built_apps.of(settings, backends)
    runner.bind_app(made)
    with made.app_context():
        try:
            yield made
        finally:
            db.session.remove()
            empty_tables()
            stats.forget()
            backends.redis.close()
            backends.memory.close()
            redis_process.flush()
    assert built_apps.times.take_blocks() == [], "requests stopped the event loop"


@pytest.fixture(scope="session")
def built_apps() -> Iterator[BuiltApps]:
    apps = BuiltApps()
    yield apps
    apps.close()


@pytest.fixture
def make_person(app: Flask) -> Callable[..., Person]:
    def make(name: str, *, is_admin: bool = False, scopes: frozenset[Scope] = DEFAULT_SCOPES) -> Person:
        with unit_of_work():
            user = users.create(username=name, is_admin=is_admin)
            _, raw = tokens.create(user.id, scopes=scopes)
            return Person(user.id, name, raw, app.test_client())

    return make


@pytest.fixture
def alice(make_person: Callable[..., Person]) -> Person:
    return make_person("alice")


@pytest.fixture
def bob(make_person: Callable[..., Person]) -> Person:
    return make_person("bob")


@pytest.fixture
def redis_connection(redis_process: RedisServer) -> Iterator[redis_package.Redis]:
    connection = redis_package.Redis.from_url(redis_process.url)
    yield connection
    connection.close()


@pytest.fixture
def work(app: Flask, notifier: MemoryJobNotifier, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Run all waiting jobs now; every recording gets a transcript."""
    from speakr.jobs import runner, transcribe

    monkeypatch.setattr(transcribe, "find_speech", lambda _: [Span(0.1, 0.4), Span(0.5, 0.9)])

    def answer_all() -> None:
        while notifier.notifications:
            runner.run(notifier.notifications.pop(0)[1])

    return answer_all


@dataclass
class Counted:
    """How many statements were sent to the database."""

    number: int = 0


@pytest.fixture
def count_statements(app: Flask) -> Callable[[], contextlib.AbstractContextManager[Counted]]:
    """`with count_statements() as counted: ...; counted.number`."""

    @contextlib.contextmanager
    def counting() -> Iterator[Counted]:
        counted = Counted()

        def note(*_: object) -> None:
            counted.number += 1

        event.listen(db.engine, "before_cursor_execute", note)
        try:
            yield counted
        finally:
            event.remove(db.engine, "before_cursor_execute", note)

    return counting


@pytest.fixture
def upload() -> Callable[..., Any]:
    """Upload bytes as a person: `upload(alice, title="x")`; returns the response."""

    def send(person: Person, data: bytes | None = None, filename: str = "meeting.wav", **fields: Any) -> Any:
        headers = fields.pop("headers", {})
        body, content_type = multipart(wav() if data is None else data, filename, fields)
        return person.post("/api/v1/recordings/upload", data=body, content_type=content_type, headers=headers)

    return send
