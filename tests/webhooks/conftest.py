"""A receiver, webhooks that lead to it, and dispatchers: one in a thread, and ones in processes to be killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from speakr import backends as plumbing
from speakr.backends import Backends
from speakr.db import unit_of_work
from speakr.domain.events import EventType, RecordingUpdated
from speakr.domain.permissions import DEFAULT_SCOPES, Actor
from speakr.models import Webhook
from speakr.services.accounts import users
from speakr.services.accounts.sealing import seal
from speakr.services.webhooks import events, webhook_options
from speakr.settings import Settings
from tests.fakes import MemoryLiveFeed
from tests.webhooks.certificates import certificate_for
from tests.webhooks.dispatchers import DispatcherProcess, ThreadedDispatcher
from tests.webhooks.receiver import Receiver

AddWebhook = Callable[..., int]
Emit = Callable[..., list[str]]
MakeProcess = Callable[..., DispatcherProcess]

SECRET = "the secret of a webhook, 43 characters long"


@pytest.fixture
def tuned(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Settings a test wants otherwise: `@pytest.mark.parametrize("tuned", [{...}], indirect=True)`."""
    return dict(getattr(request, "param", {}))


@pytest.fixture
def settings(settings: Settings, tuned: dict[str, Any]) -> Settings:
    return replace(
        settings, **{"webhook_allowed_hosts": "127.0.0.0/8", "webhook_timeout_seconds": 10.0, **tuned}
    )


@pytest.fixture
def backends(settings: Settings) -> Backends:
    """Everything real but the live feed: the notifier must publish through Redis."""
    return replace(plumbing.connect(settings), live=MemoryLiveFeed())


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


@pytest.fixture
def owner(app: Flask) -> Actor:
    with unit_of_work():
        user = users.create(username="owner")
        return Actor(user.id, user.username, is_admin=False, scopes=DEFAULT_SCOPES)


@pytest.fixture
def add_webhook(owner: Actor) -> Callable[..., int]:
    """Add a webhook without the checks of its address, as one that was saved when other rules held."""

    def add(url: str, *, secret: str = SECRET, **options: Any) -> int:
        with unit_of_work() as session:
            webhook = Webhook(
                user_id=owner.user_id,
                name="hook",
                url=url,
                allow_http=True,
                events=[event.value for event in EventType],
                secret_sealed=seal(secret),
                **options,
            )
            session.add(webhook)
            session.flush()  # to know webhook.id
            webhook_options.start_sequence(webhook)
            return webhook.id

    return add


@pytest.fixture
def emit(owner: Actor) -> Callable[..., list[str]]:
    """Record events, all in one transaction; return their ids."""

    def record(count: int = 1, *, title: str = "A title") -> list[str]:
        with unit_of_work():
            return [
                events.record(
                    owner.user_id, RecordingUpdated(recording_id=n, title=title, fields_changed=("title",))
                ).uuid
                for n in range(count)
            ]

    return record


@pytest.fixture
def dispatcher(app: Flask) -> Iterator[ThreadedDispatcher]:
    """A dispatcher, not started yet."""
    made = ThreadedDispatcher(app)
    yield made
    if made._thread.is_alive():
        made.stop()


@pytest.fixture
def make_process(app: Flask, settings: Settings, tmp_path: Path) -> Iterator[MakeProcess]:
    made: list[DispatcherProcess] = []

    def make(**more: str) -> DispatcherProcess:
        made.append(DispatcherProcess(settings, tmp_path / f"dispatcher-{len(made)}.log", **more))
        return made[-1]

    yield make
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.kill()


@pytest.fixture(scope="session")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(certificate_for(["127.0.0.1"]))
    return path
