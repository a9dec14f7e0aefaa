"""A house that lasts for all tests of one pytest process; each test leaves it whole and empty-handed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash import speech
from tests.crash.house import WORKERS, House, wait_for
from tests.crash.provider import Provider
from tests.crash.subscriber import Subscriber
from tests.servers import postgres_server, redis_server

WORKER = str(Path(__file__).with_name("hasty_worker.py"))


@dataclass(frozen=True)
class Undisturbed:
    """What the long recording comes to when nobody is killed."""

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
def _opened(url: str, folder: Path, provider: Provider, subscriber: Subscriber) -> Iterator[House]:
    with redis_server() as redis:
        settings = {
            "TRANSCRIPTION_BASE_URL": provider.url,
            "TRANSCRIPTION_MODELS_AVAILABLE": "whisper-1,embedded",
        }
        house = House(folder, url, redis, worker=WORKER, settings=settings)
        try:
            house.open()
            subscriber.subscribe(house)
            yield house
        finally:
            house.close()


@pytest.fixture(scope="session")
def sqlite_house(
    tmp_path_factory: pytest.TempPathFactory, provider: Provider, subscriber: Subscriber
) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    with _opened(f"sqlite:///{folder / 'speakr.db'}", folder, provider, subscriber) as house:
        yield house


@pytest.fixture(scope="session")
def postgres_house(
    tmp_path_factory: pytest.TempPathFactory, provider: Provider, subscriber: Subscriber
) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    with postgres_server() as url, _opened(url, folder, provider, subscriber) as house:
        yield house


@pytest.fixture
def house(request: pytest.FixtureRequest, provider: Provider) -> Iterator[House]:
    """The whole house, at work on nothing: on SQLite, or as `on_postgresql` says."""
    made: House = request.getfixturevalue(getattr(request, "param", "sqlite_house"))
    provider.go_on()
    made.make_whole()
    if made.mark not in _undisturbed:
        _undisturbed[made.mark] = _run_undisturbed(made, provider)
    provider.forget()
    yield made
    provider.go_on()
    made.make_whole()
    active = "SELECT id FROM jobs WHERE state IN ('queued', 'running')"
    wait_for(lambda: not made.rows(active), "all work done", 40)
    wait_for(lambda: not made.strays(), f"no process left behind, but {made.strays()}")
    wait_for(lambda: made.blobs("pcm") == [], f"no decoded audio left behind, but {made.blobs('pcm')}")
    assert made.scratch_folders() == []


def _run_undisturbed(house: House, provider: Provider) -> Undisturbed:
    provider.forget()
    recording = house.upload(speech.long_recording())
    house.wait_until_done(recording)
    pieces = provider.counts()
    assert len(pieces) >= 6
    assert set(pieces.values()) == {1}
    return Undisturbed(house.transcript(recording), pieces)


@pytest.fixture
def undisturbed(house: House) -> Undisturbed:
    return _undisturbed[house.mark]


@pytest.fixture
def heard_by_both(house: House, provider: Provider) -> int:
    """The long recording, two chunks of it done and the next two with the provider, one for each worker."""
    provider.hold_after(2)
    recording = house.upload(speech.long_recording())
    provider.wait_for(4)
    wait_for(lambda: set(house.workers_at(recording)) == set(WORKERS), "both workers at it")
    return recording


@pytest.fixture
def assert_told_once(house: House, subscriber: Subscriber) -> Callable[..., None]:
    """Check that an event of each kind was written once about a recording, and came to the subscriber once."""

    def check(recording_id: int, *types: str) -> None:
        written = Counter(house.event_types(recording_id))
        for event_type in types:
            assert written[event_type] == 1, written
            wait_for(
                lambda kind=event_type: subscriber.ids(house, recording_id, kind), f"{event_type} delivered"
            )
        for event_type in types:
            # One event, under one id. A dispatcher killed between a receiver's answer and its own note sends again.
            (arrivals,) = subscriber.ids(house, recording_id, event_type).values()
            assert 1 <= arrivals <= 1 + house.kills["dispatcher"]

    return check
