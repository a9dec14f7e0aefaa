"""The app with registration turned on, and limits that only the tests of limits reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from speakr.settings import Settings
from tests.conftest import Person, wav

API = "/clio/api"
PAGE = "http://localhost:3000"
JOHN = {
    "username": "john_doe",
    "email": "john@example.com",
    "first_name": "John",
    "last_name": "Doe",
    "password": "SecurePass123!",
    "password_confirm": "SecurePass123!",
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(
        settings,
        registration=True,
        rate_limit_password=10_000,
        rate_limit_registration=10_000,
        rate_limit_bad_token=10_000,
        rate_limit_compat_anonymous=10_000,
    )


@pytest.fixture
def clio(app: Flask) -> FlaskClient:
    """A browser: it keeps cookies."""
    return app.test_client()


@pytest.fixture
def script(app: Flask) -> FlaskClient:
    """A client that keeps no cookies."""
    return app.test_client(use_cookies=False)


@pytest.fixture
def john(script: FlaskClient) -> dict[str, str]:
    """The tokens of a registered user."""
    answer = script.post(f"{API}/auth/register/", json=JOHN)
    assert answer.status_code == 201, answer.json
    tokens: dict[str, str] = answer.json["data"]["tokens"]
    return tokens


def bearer(tokens: dict[str, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access']}"}


def refresh(client: FlaskClient, token: str) -> Any:
    return client.post(f"{API}/auth/refresh/", json={"refresh": token})


def log_in(client: FlaskClient) -> Any:
    answer = client.post(f"{API}/auth/login/", json={key: JOHN[key] for key in ("username", "password")})
    assert answer.status_code == 200, answer.json
    return answer


BOUNDARY = "a-boundary-of-the-tests"


def audio_form(
    data: bytes | None, filename: str = "memo.wav", kind: str = "audio/wav", **fields: Any
) -> dict[str, Any]:
    """Return the arguments of a request with a form: an audio file, unless there is none, and fields."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, values in fields.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    if data is not None:
        disposition = f'form-data; name="audio_file"; filename="{filename}"'
        head = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\nContent-Type: {kind}\r\n\r\n"
        parts += [head.encode(), data, b"\r\n"]
    body = b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])
    return {"data": body, "content_type": f"multipart/form-data; boundary={BOUNDARY}"}


@pytest.fixture
def make_note(alice: Person, work: Callable[[], None]) -> Callable[..., Any]:
    """Upload a file as a note and wait for its text; return the note as it is then."""

    def make(
        data: bytes | None = None,
        *,
        person: Person = alice,
        is_done: bool = True,
        **form: Any,
    ) -> Any:
        answer = person.post(f"{API}/notes/", **audio_form(data or wav(1.0), **form))
        assert answer.status_code == 201, answer.json
        note = answer.json["data"]
        if is_done:
            work()
            note = person.get(f"{API}/notes/{note['id']}/").json
        return note

    return make
