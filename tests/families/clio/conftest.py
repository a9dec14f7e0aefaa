"""The app with registration turned on, and limits that only the tests of limits reach."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from speakr.settings import Settings

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
