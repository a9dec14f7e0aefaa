"""A deployment for all tests of one pytest process; each test leaves it running and idle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash import speech
from tests.crash.deployment import WORKERS, Deployment, wait_for
from tests.crash.provider import Provider
from tests.crash.subscriber import Subscriber
from tests.servers import postgres_server, redis_server

WORKER = str(Path(__file__).with_name("short_chunk_worker.py"))


@dataclass(frozen=True)
class Undisturbed:
    """The result of the long recording without any kill."""

    transcript: bytes
    pieces: Counter[str]
    """The audio of each chunk, once."""


_undisturbed: dict[str, Undisturbed] = {}


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    with Provider() as server:
        yield server


@pytest.fixture(scope="session")
def subscriber() -> Iterator[Subscriber]:
    with Subscriber() as server:
        yield server


@contextmanager
def _opened(url: str, folder: Path, provider: Provider, subscriber: Subscriber) -> Iterator[Deployment]:
    with redis_server() as redis:
        settings = {
            "TRANSCRIPTION_BASE_URL": provider.url,
            "TRANSCRIPTION_MODELS_AVAILABLE": "whisper-1,embedded",
        }
        deployment = Deployment(folder, url, redis, worker=WORKER, settings=settings)
        try:
            deployment.open()
            subscriber.subscribe(deployment)
            yield deployment
        finally:
            deployment.close()


@pytest.fixture(scope="session")
def sqlite_deployment(
    tmp_path_factory: pytest.TempPathFactory, provider: Provider, subscriber: Subscriber
) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("deployment")
    with _opened(f"sqlite:///{folder / 'speakr.db'}", folder, provider, subscriber) as deployment:
        yield deployment


@pytest.fixture(scope="session")
def postgres_deployment(
    tmp_path_factory: pytest.TempPathFactory, provider: Provider, subscriber: Subscriber
) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("deployment")
    with postgres_server() as url, _opened(url, folder, provider, subscriber) as deployment:
        yield deployment


@pytest.fixture
def deployment(request: pytest.FixtureRequest, provider: Provider) -> Iterator[Deployment]:
    """The whole deployment, idle: on SQLite, or as `on_postgresql` says."""
    made: Deployment = request.getfixturevalue(getattr(request, "param", "sqlite_deployment"))
    provider.go_on()
    made.make_whole()
    if made.mark not in _undisturbed:
        _undisturbed[made.mark] = _run_undisturbed(made, provider)
    provider.forget()
    made.forget_deaths()
    yield made
    provider.go_on()
    made.make_whole()
    active = "SELECT id FROM jobs WHERE state IN ('queued', 'running')"
    wait_for(lambda: not made.rows(active), "all work done")
    wait_for(lambda: not made.strays(), f"no process left behind, but {made.strays()}")
    wait_for(lambda: made.blobs("pcm") == [], f"no decoded audio left behind, but {made.blobs('pcm')}")
    assert made.scratch_folders() == []


def _run_undisturbed(deployment: Deployment, provider: Provider) -> Undisturbed:
    provider.forget()
    recording = deployment.upload(speech.long_recording())
    deployment.wait_until_done(recording)
    pieces = provider.counts()
    assert len(pieces) >= 6
    assert set(pieces.values()) == {1}
    return Undisturbed(deployment.transcript(recording), pieces)


@pytest.fixture
def undisturbed(deployment: Deployment) -> Undisturbed:
    return _undisturbed[deployment.mark]


@pytest.fixture
def shared_by_both(deployment: Deployment, provider: Provider) -> int:
    """The long recording, two chunks of it done and the next two with the provider, one for each worker."""
    provider.hold_after(2)
    recording = deployment.upload(speech.long_recording())
    provider.wait_for(4)
    wait_for(lambda: set(deployment.workers_at(recording)) == set(WORKERS), "both workers at it")
    return recording


@pytest.fixture
def assert_sent_once(deployment: Deployment, subscriber: Subscriber) -> Callable[..., None]:
    """Check that an event of each kind was written once about a recording, and came to the subscriber once."""

    def check(recording_id: int, *types: str) -> None:
        written = Counter(deployment.event_types(recording_id))
        for event_type in types:
            assert written[event_type] == 1, written
            wait_for(
                lambda kind=event_type: subscriber.ids(deployment, recording_id, kind),
                f"{event_type} delivered",
            )
        for event_type in types:
            # One event, under one id. A dispatcher killed between a receiver's answer and its own note sends again.
            (arrivals,) = subscriber.ids(deployment, recording_id, event_type).values()
            assert 1 <= arrivals <= 1 + deployment.kills["dispatcher"]

    return check
