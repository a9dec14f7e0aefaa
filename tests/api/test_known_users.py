"""Requests of one user share one queue, whatever place the credential is in; only accepted credentials are remembered."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask

from speakr.db import unit_of_work
from speakr.services.accounts import tokens, users
from speakr.settings import Settings
from speakr.web import known_users

pytestmark = pytest.mark.on_sqlite

PASSWORD = "correct horse battery"
ME = "/api/v1/users/me"


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    known_users._users.clear()
    yield
    known_users._users.clear()


@pytest.fixture
def carol(app: Flask) -> tuple[int, str]:
    """A user: her id, and an API token."""
    with unit_of_work():
        user_id = users.create(username="carol", password=PASSWORD).id
        _, raw = tokens.create(user_id)
    return user_id, raw


@pytest.mark.parametrize("place", ["Authorization", "X-API-Token", "API-Token", "?token"])
def test_a_token_is_known_in_every_place(app: Flask, carol: tuple[int, str], place: str) -> None:
    user_id, raw = carol
    query = f"token={raw}" if place == "?token" else ""
    headers = {} if query else {place: f"Bearer {raw}" if place == "Authorization" else raw}
    for number in range(5):
        cookie = {"Cookie": f"any={number}"}
        assert app.test_client().get(ME, query_string=query, headers=headers | cookie).status_code == 200
    assert len(known_users._users) == 1
    sent = {name.upper(): value for name, value in headers.items()}
    assert known_users.user_of({**sent, "COOKIE": "any=other"}, query) == user_id
    assert known_users.user_of({"COOKIE": "any=1"}) == known_users.UNKNOWN


@pytest.mark.parametrize("place", ["Authorization", "X-API-Token", "API-Token", "?token"])
def test_a_refused_token_is_not_remembered(app: Flask, carol: tuple[int, str], place: str) -> None:
    query = "token=wrong" if place == "?token" else ""
    headers = {} if query else {place: "Bearer wrong"}
    assert app.test_client().get(ME, query_string=query, headers=headers).status_code == 401
    assert not known_users._users


def test_an_ignored_header_is_not_remembered(app: Flask, carol: tuple[int, str]) -> None:
    user_id, raw = carol
    for number in range(5):
        headers = {"Authorization": f"Bearer {raw}", "X-API-Key": f"any {number}"}
        assert app.test_client().get(ME, headers=headers).status_code == 200
    assert list(known_users._users.values()) == [user_id]


class TestPasswords:
    """Requests with a user's password have no session and no token."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, rate_limits_enabled=True, rate_limit_write=3)

    def test_each_user_has_limits_of_their_own(self, app: Flask, carol: tuple[int, str]) -> None:
        with unit_of_work():
            users.create(username="dave", password=PASSWORD)

        def ask(name: str) -> int:
            credential = base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()
            answer = app.test_client().post(
                "/api/v1/tokens", headers={"Authorization": f"Basic {credential}"}, json={}
            )
            return answer.status_code

        assert [ask("carol") for _ in range(4)] == [201, 201, 201, 429]
        assert ask("dave") == 201
