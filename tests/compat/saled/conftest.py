"""The app as it is shipped, with Alice as the user of requests without a credential."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from speakr.settings import Settings
from tests.conftest import Person, multipart, wav
from tests.fakes import MemoryJobNotifier
from tests.support.clips import run_inline

PREFIX = "/saled"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, unauthenticated_user="alice")


@pytest.fixture
def client(app: Flask, alice: Person) -> FlaskClient:
    """A client without a credential."""
    return app.test_client()


@pytest.fixture
def send(client: FlaskClient) -> Callable[..., Any]:
    """Send a form with a file to a path of the API."""

    def post(path: str = "/api/transcribe/", data: bytes | None = None, **fields: Any) -> Any:
        headers = fields.pop("headers", {})
        body, content_type = multipart(wav(1.0) if data is None else data, "a.wav", fields)
        return client.post(f"{PREFIX}{path}", data=body, headers={"Content-Type": content_type, **headers})

    return post


@pytest.fixture
def inline(work: Callable[[], None], notifier: MemoryJobNotifier) -> MemoryJobNotifier:
    """Let a worker run each clip in the request that queues it."""
    run_inline(notifier)
    return notifier
