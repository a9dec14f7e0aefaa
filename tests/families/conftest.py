"""Two apps on one database: as it is shipped, and with one more API family."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from speakr.app import FAMILIES
from speakr.backends import Backends
from speakr.db import unit_of_work
from speakr.services.accounts import users
from speakr.settings import Settings
from tests.support.apps import BuiltApps

PAGE = "https://app.example.org"
LOGIN = {"username": "carol", "password": "correct horse battery"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, rate_limits_enabled=True, cors_origins=PAGE)


@pytest.fixture
def plain_app(app: Flask, built_apps: BuiltApps, settings: Settings, backends: Backends) -> Flask:
    """As it is shipped. `app` is in its context already, so that `g` would outlive a request."""
    return built_apps.of(settings, backends, is_second=True)


@pytest.fixture
def toy_app(app: Flask, built_apps: BuiltApps, settings: Settings, backends: Backends) -> Flask:
    return built_apps.of(settings, backends, (*FAMILIES, "tests.families.toy:FAMILY"))


@pytest.fixture
def login_app(app: Flask, built_apps: BuiltApps, settings: Settings, backends: Backends) -> Flask:
    return built_apps.of(settings, backends, (*FAMILIES, "tests.families.logins:FAMILY"))


@pytest.fixture
def carol(app: Flask) -> int:
    """A user with the password of `LOGIN`."""
    with unit_of_work():
        return users.create(**LOGIN).id


@pytest.fixture
def client(login_app: Flask, carol: int) -> FlaskClient:
    """A browser: it keeps cookies."""
    return login_app.test_client()
