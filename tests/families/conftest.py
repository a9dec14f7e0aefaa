"""Two apps on one database: as it is shipped, and with one more API family."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from speakr.app import FAMILIES, create_app
from speakr.backends import Backends
from speakr.db import db, unit_of_work
from speakr.services.accounts import users
from speakr.settings import Settings

PAGE = "https://app.example.org"
LOGIN = {"username": "carol", "password": "correct horse battery"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, rate_limits_enabled=True, cors_origins=PAGE)


def _built(settings: Settings, backends: Backends, families: tuple[str, ...]) -> Iterator[Flask]:
    made = create_app(settings, backends, families)
    yield made
    with made.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def plain_app(app: Flask, settings: Settings, backends: Backends) -> Iterator[Flask]:
    """As it is shipped. `app` is in its context already, so that `g` would outlive a request."""
    yield from _built(settings, backends, FAMILIES)


@pytest.fixture
def toy_app(app: Flask, settings: Settings, backends: Backends) -> Iterator[Flask]:
    yield from _built(settings, backends, (*FAMILIES, "tests.families.toy:FAMILY"))


@pytest.fixture
def login_app(app: Flask, settings: Settings, backends: Backends) -> Iterator[Flask]:
    yield from _built(settings, backends, (*FAMILIES, "tests.families.logins:FAMILY"))


@pytest.fixture
def carol(app: Flask) -> int:
    """A user with the password of `LOGIN`."""
    with unit_of_work():
        return users.create(**LOGIN).id


@pytest.fixture
def client(login_app: Flask, carol: int) -> FlaskClient:
    """A browser: it keeps cookies."""
    return login_app.test_client()
