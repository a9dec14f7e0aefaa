"""An app per module and database, with a prepared library that every test finds unchanged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from flask import Flask

from speakr import backends as plumbing
from speakr.backends import Backends
from speakr.db import db
from speakr.domain.transcript import Span
from speakr.jobs import runner, transcribe
from speakr.services.language import language_model
from speakr.services.recordings import intake
from speakr.services.system import stats
from speakr.settings import Settings
from tests import remembered
from tests.conftest import SECRET, Person
from tests.contract.library import Engines, Library, add_person, fill
from tests.fakes import FakeTranscriber, FakeWriter, MemoryJobNotifier, MemoryLiveFeed
from tests.servers import RedisServer
from tests.support.apps import BuiltApps, empty_tables, make_slow_parts_quick
from tests.support.snapshots import Changes, Snapshot, noticing_changes

PEOPLE = ("alice", "bob", "lee", "root")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")


@pytest.fixture(scope="module")
def settings(
    database_url: str, redis_process: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    return Settings(
        secret_key=SECRET,
        data_dir=tmp_path_factory.mktemp("data"),
        database_url=database_url,
        redis_url=redis_process.url,
        rate_limits_enabled=False,
        log_level="ERROR",
        min_free_disk_mb=1,
        enable_folders=True,
        webhook_allowed_hosts="127.0.0.1/32",
    )


@pytest.fixture(scope="module")
def engines() -> Engines:
    return Engines()


@pytest.fixture(scope="module")
def notifier() -> MemoryJobNotifier:
    return MemoryJobNotifier()


@pytest.fixture(scope="module")
def backends(settings: Settings, notifier: MemoryJobNotifier, engines: Engines) -> Backends:
    return replace(
        plumbing.connect(settings),
        notifier=notifier,
        live=MemoryLiveFeed(),
        make_transcriber=lambda: engines.transcriber,
        make_writer=lambda: engines.writer,
    )


@pytest.fixture(scope="module")
def app(
    settings: Settings, backends: Backends, built_apps: BuiltApps, redis_process: RedisServer
) -> Iterator[Flask]:
    made = built_apps.of(settings, backends)
    runner.bind_app(made)
    with pytest.MonkeyPatch.context() as patch, made.app_context():
        make_slow_parts_quick(patch)
        try:
            yield made
        finally:
            db.session.remove()
            empty_tables()
            stats.forget()
            db.session.remove()
            backends.redis.close()
            backends.memory.close()
            redis_process.flush()


@dataclass(frozen=True)
class Prepared:
    """What a library is made of."""

    snapshot: Snapshot
    ids: dict[str, Any]
    tokens: dict[str, str]
    notifications: Sequence[Any]


@pytest.fixture(scope="session")
def prepared_libraries() -> dict[str, Prepared]:
    """Prepared libraries, by database."""
    return {}


@pytest.fixture(scope="module")
def _prepared(
    app: Flask,
    settings: Settings,
    notifier: MemoryJobNotifier,
    engines: Engines,
    prepared_libraries: dict[str, Prepared],
) -> Prepared:
    url = str(settings.database_url)
    if url not in prepared_libraries:
        people = {name: add_person(app, name) for name in PEOPLE}
        # A test on the other database may have left engines that fail.
        engines.transcriber, engines.writer = FakeTranscriber(), FakeWriter()
        with _speech():
            library = Library(people, notifier, engines, lambda: _work(notifier))
            fill(library)
        db.session.remove()
        prepared_libraries[url] = Prepared(
            snapshot=Snapshot.take(settings.data_dir),
            ids=library.ids | {"root": people["root"].id},
            tokens={name: person.token for name, person in people.items()},
            notifications=tuple(notifier.notifications),
        )
    return prepared_libraries[url]


@pytest.fixture(scope="module")
def _changes(_prepared: Prepared) -> Iterator[Changes]:
    with noticing_changes() as changes:
        changes.is_any = True  # another module may have been here
        yield changes


@pytest.fixture
def library(
    app: Flask,
    settings: Settings,
    notifier: MemoryJobNotifier,
    engines: Engines,
    _prepared: Prepared,
    _changes: Changes,
) -> Iterator[Library]:
    """The library in its prepared state."""
    if _changes.is_any:
        _prepared.snapshot.restore(settings.data_dir)
        _changes.is_any = False
    stats.forget()
    notifier.notifications[:] = _prepared.notifications
    engines.transcriber, engines.writer = FakeTranscriber(), FakeWriter()
    people = {
        name: Person(_prepared.ids[name], name, token, app.test_client())
        for name, token in _prepared.tokens.items()
    }
    with _speech():
        yield Library(people, notifier, engines, lambda: _work(notifier), dict(_prepared.ids))
    db.session.remove()


@contextmanager
def _speech() -> Iterator[None]:
    """Let five seconds of whatever is uploaded be speech."""
    spans = [Span(float(second), second + 0.9) for second in range(0, 5, 2)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transcribe, "find_speech", lambda _pcm: spans)
        patch.setattr(transcribe, "_engines", None)
        patch.setattr(language_model, "_made", None)
        patch.setattr(intake, "probe", remembered.probe)
        patch.setattr(transcribe, "decode_track", remembered.decode_track)
        yield


def _work(notifier: MemoryJobNotifier) -> None:
    while notifier.notifications:
        _, job_id, _ = notifier.notifications.pop(0)
        runner.run(job_id)
