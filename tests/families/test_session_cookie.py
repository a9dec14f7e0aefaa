"""Login sessions of browsers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from speakr.db import db, unit_of_work
from speakr.domain.permissions import Actor, Scope
from speakr.models import Session
from speakr.services.accounts import administration, credentials, sessions, users
from speakr.settings import Settings
from tests.families.conftest import LOGIN, PAGE

ROOT = Actor(user_id=0, username="root", is_admin=True, scopes=frozenset(Scope))


def log_in(client: FlaskClient) -> dict[str, str]:
    """Begin a session in this browser; return the headers that its pages send with changes."""
    answer = client.post("/logins/session", json=LOGIN)
    assert answer.status_code == 200, answer.json
    return {"X-CSRF-Token": answer.headers["X-CSRF-Token"]}


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["code"]


def cookie_of(answer: Any) -> set[str]:
    return {part.strip() for part in answer.headers["Set-Cookie"].split(";")[1:]}


def test_a_session_reads_with_its_cookie_and_writes_with_its_csrf_token(client: FlaskClient) -> None:
    headers = log_in(client)
    assert client.get("/logins/me").json["user"] == "carol"
    assert client.post("/logins/me", headers=headers).json["user"] == "carol"
    assert db.session.query(Session).one().sha256 not in (None, client.get_cookie("speakr_session"))


@pytest.mark.parametrize("value", [None, "", "0" * 64, "é"])
def test_a_change_without_the_sessions_csrf_token_is_refused(client: FlaskClient, value: str | None) -> None:
    log_in(client)
    headers = {} if value is None else {"X-CSRF-Token": value}
    assert code(client.post("/logins/me", headers=headers)) == (403, "csrf_failed")


def test_the_csrf_token_of_another_session_is_refused(client: FlaskClient, login_app: Flask) -> None:
    log_in(client)
    other = log_in(login_app.test_client())
    assert code(client.post("/logins/me", headers=other)) == (403, "csrf_failed")


@pytest.mark.parametrize("name", ["Origin", "Referer"])
def test_a_change_from_a_page_of_another_origin_is_refused(client: FlaskClient, name: str) -> None:
    headers = log_in(client)
    for page in ("https://evil.example", "null", "http://localhost.evil.example", "http://[bad"):
        answer = client.post("/logins/me", headers={**headers, name: page})
        expected = 403 if name == "Origin" or page.endswith(".example") else 200
        assert answer.status_code == expected, page
    for page in ("http://localhost", PAGE):
        assert client.post("/logins/me", headers={**headers, name: page}).status_code == 200, page


def test_the_cookie_is_hidden_from_scripts_and_other_paths(client: FlaskClient) -> None:
    parts = cookie_of(client.post("/logins/session", json=LOGIN))
    assert {"HttpOnly", "SameSite=Lax", "Path=/logins", "Max-Age=1209600"} <= parts
    assert "Secure" not in parts


class TestOnHttps:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, public_url="https://speakr.example.org")

    def test_the_cookie_is_secure(self, client: FlaskClient) -> None:
        assert "Secure" in cookie_of(client.post("/logins/session", json=LOGIN))


def test_a_wrong_password_begins_nothing_and_is_counted(client: FlaskClient) -> None:
    answers = [client.post("/logins/session", json={**LOGIN, "password": "wrong"}) for _ in range(6)]
    assert [code(answer) for answer in answers] == [(401, "wrong_password")] * 5 + [(429, "rate_limited")]
    assert db.session.query(Session).count() == 0


def test_a_forged_cookie_is_refused_and_counted(client: FlaskClient) -> None:
    client.set_cookie("speakr_session", "forged", path="/logins")
    answers = [client.get("/logins/me") for _ in range(31)]
    assert code(answers[0]) == (401, "invalid_token")
    assert code(answers[30]) == (429, "rate_limited")


def test_logging_out_ends_this_session_only(client: FlaskClient, login_app: Flask) -> None:
    other = login_app.test_client()
    log_in(other)
    headers = log_in(client)
    secret = client.get_cookie("speakr_session", path="/logins").value
    assert client.post("/logins/logout", headers=headers).status_code == 200
    assert client.get_cookie("speakr_session", path="/logins") is None
    client.set_cookie("speakr_session", secret, path="/logins")
    assert code(client.get("/logins/me")) == (401, "invalid_token")
    assert other.get("/logins/me").status_code == 200


def change_own_password(user_id: int) -> None:
    actor = Actor(user_id=user_id, username="carol", is_admin=False, scopes=frozenset(Scope))
    new = users.new_password(actor, current=LOGIN["password"], new="another horse battery")
    with unit_of_work():
        users.update(actor, {}, new)


def set_password(user_id: int) -> None:
    password_hash = users.hashed("another horse battery")
    with unit_of_work():
        administration.update(ROOT, user_id, {}, password_hash)


def disable(user_id: int) -> None:
    with unit_of_work():
        administration.update(ROOT, user_id, {"is_active": False}, None)


def enable_again(user_id: int) -> None:
    disable(user_id)
    with unit_of_work():
        administration.update(ROOT, user_id, {"is_active": True}, None)


@pytest.mark.parametrize("change", [change_own_password, set_password, disable, enable_again])
def test_a_new_password_or_a_disabled_user_ends_all_sessions(
    client: FlaskClient, login_app: Flask, carol: int, change: Callable[[int], None]
) -> None:
    other = login_app.test_client()
    for browser in (client, other):
        log_in(browser)
    change(carol)
    for browser in (client, other):
        assert code(browser.get("/logins/me")) == (401, "invalid_token")


def test_logging_out_everywhere_ends_all_sessions(client: FlaskClient, login_app: Flask) -> None:
    other = login_app.test_client()
    log_in(other)
    assert client.post("/logins/logout?everywhere=true", headers=log_in(client)).status_code == 200
    assert code(other.get("/logins/me")) == (401, "invalid_token")


def test_a_session_does_not_outlive_a_change_of_the_password_beside_its_login(app: Flask, carol: int) -> None:
    checked = users.check_password(**LOGIN)
    set_password(carol)
    with pytest.raises(Exception, match="password is wrong"), unit_of_work():
        sessions.start_with_secret(carol, checked.password_hash, "logins", timedelta(days=1))


def test_a_session_of_another_family_is_refused(client: FlaskClient, carol: int) -> None:
    checked = users.check_password(**LOGIN)
    with unit_of_work():
        secret = sessions.start_with_secret(carol, checked.password_hash, "other", timedelta(days=1))
    client.set_cookie("speakr_session", secret, path="/logins")
    assert code(client.get("/logins/me")) == (401, "invalid_token")


def test_expired_sessions_are_refused_and_purged(
    client: FlaskClient, login_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(client)
    later = sessions.now() + timedelta(days=14, seconds=1)
    with monkeypatch.context() as patch:
        patch.setattr(sessions, "now", lambda: later)
        assert code(client.get("/logins/me")) == (401, "expired_token")
        log_in(login_app.test_client())
        with unit_of_work():
            assert sessions.purge() is False
    assert db.session.query(Session).count() == 1


def test_a_request_that_lasts_ends_with_its_session(client: FlaskClient, carol: int) -> None:
    log_in(client)
    session_id = db.session.query(Session).one().id
    actor = Actor(user_id=carol, username="carol", is_admin=False, scopes=frozenset(), session_id=session_id)
    without = replace(actor, session_id=None)
    assert credentials.still_valid(actor)
    with unit_of_work():
        sessions.end(session_id)
    assert not credentials.still_valid(actor)
    assert credentials.still_valid(without)
    disable(carol)
    assert not credentials.still_valid(without)
