"""Access and refresh tokens: in bodies, in cookies, rotated, reused, ended."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient

from speakr.db import db, unit_of_work
from speakr.models import Session
from speakr.services.accounts import sessions
from speakr.services.accounts.key_derivation import derived_key
from tests.families.conftest import LOGIN
from tests.families.test_session_cookie import code, disable


def log_in(client: FlaskClient) -> dict[str, str]:
    pair: dict[str, str] = client.post("/logins/token", json=LOGIN).json
    assert set(pair) == {"access_token", "refresh_token"}
    return pair


def refresh(client: FlaskClient, pair: dict[str, str]) -> Any:
    return client.post("/logins/token/refresh", json={"refresh_token": pair["refresh_token"]})


def ask(client: FlaskClient, token: str) -> Any:
    return client.get("/logins/me", headers={"Authorization": f"Bearer {token}"})


def life(token: str) -> float:
    claims = jwt.decode(token, options={"verify_signature": False})
    return claims["exp"] - claims["iat"]


def test_a_pair_lasts_an_hour_and_a_week(client: FlaskClient) -> None:
    pair = log_in(client)
    assert ask(client, pair["access_token"]).json["user"] == "carol"
    assert (life(pair["access_token"]), life(pair["refresh_token"])) == (3600, 7 * 86400)


def test_a_refresh_gives_a_new_pair(client: FlaskClient) -> None:
    pair = log_in(client)
    following = refresh(client, pair).json
    assert following["refresh_token"] != pair["refresh_token"]
    assert ask(client, following["access_token"]).status_code == 200
    assert refresh(client, following).status_code == 200


def test_a_reused_refresh_token_ends_the_whole_session(client: FlaskClient, login_app: Flask) -> None:
    other = log_in(client)
    pair = log_in(client)
    following = refresh(client, pair).json
    assert code(refresh(client, pair)) == (401, "invalid_token")
    assert code(refresh(client, following)) == (401, "invalid_token")
    assert code(ask(client, following["access_token"])) == (401, "invalid_token")
    assert ask(client, other["access_token"]).status_code == 200


@pytest.mark.parametrize("kind", ["access for refresh", "refresh for access"])
def test_the_two_tokens_cannot_stand_for_each_other(client: FlaskClient, kind: str) -> None:
    pair = log_in(client)
    answer = (
        refresh(client, {"refresh_token": pair["access_token"]})
        if kind == "access for refresh"
        else ask(client, pair["refresh_token"])
    )
    assert code(answer) == (401, "invalid_token")


def forged(token: str, **changes: Any) -> str:
    claims = jwt.decode(token, options={"verify_signature": False}) | changes
    return jwt.encode(claims, "x" * 40, "HS256")


def unsigned(token: str) -> str:
    return jwt.encode(jwt.decode(token, options={"verify_signature": False}), None, "none")


@pytest.mark.parametrize("make", [forged, unsigned, lambda token: token[:-5] + "AAAAA", lambda _: "eyJ.é.x"])
def test_a_forged_token_is_refused_and_counted(client: FlaskClient, make: Any) -> None:
    token = make(log_in(client)["access_token"])
    answers = [ask(client, token.encode().decode("latin-1")) for _ in range(31)]
    assert {code(answer) for answer in answers[:30]} == {(401, "invalid_token")}
    assert code(answers[30]) == (429, "rate_limited")


def test_an_expired_token_is_refused(client: FlaskClient, app: Flask) -> None:
    token = log_in(client)["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    old = jwt.encode({**claims, "exp": claims["iat"] - 1}, derived_key("json web tokens").hex(), "HS256")
    assert code(ask(client, old)) == (401, "expired_token")


def test_an_api_token_is_taken_beside_jwts(client: FlaskClient, alice: Any) -> None:
    assert ask(client, alice.token).json["user"] == "alice"


def test_logging_out_ends_both_tokens(client: FlaskClient) -> None:
    pair = log_in(client)
    headers = {"Authorization": f"Bearer {pair['access_token']}"}
    assert client.post("/logins/logout", headers=headers).status_code == 200
    assert code(ask(client, pair["access_token"])) == (401, "invalid_token")
    assert code(refresh(client, pair)) == (401, "invalid_token")


def test_a_disabled_user_can_neither_ask_nor_refresh(client: FlaskClient, carol: int) -> None:
    pair = log_in(client)
    disable(carol)
    assert code(ask(client, pair["access_token"])) == (401, "invalid_token")
    assert code(refresh(client, pair)) == (401, "invalid_token")


def test_of_two_refreshes_at_once_by_body_one_wins_and_the_session_ends(app: Flask, carol: int) -> None:
    assert at_once(app, carol, timedelta(0)) == {None, 1}
    assert db.session.query(Session).one().revoked_at is not None


def test_two_refreshes_at_once_by_cookie_get_the_same_pair(app: Flask, carol: int) -> None:
    assert at_once(app, carol, timedelta(seconds=10)) == {1}
    assert db.session.query(Session).one().revoked_at is None


def at_once(app: Flask, user_id: int, grace: timedelta) -> set[int | None]:
    """Refresh one token in four threads; return which generations came out."""
    from speakr.services.accounts import users

    checked = users.check_password(**LOGIN)
    with unit_of_work():
        first = sessions.start_for_tokens(user_id, checked.password_hash, "logins", timedelta(days=7))
    start = threading.Barrier(4)
    found: list[sessions.Generation | None] = []

    def run() -> None:
        with app.app_context():
            start.wait()
            with unit_of_work():
                got = sessions.rotate(first.session_id, first.number, "logins", timedelta(days=7), grace)
            found.append(got)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({got.issued_at for got in found if got}) == 1
    assert len([got for got in found if got]) == (1 if not grace else 4)
    db.session.rollback()
    return {got.number if got else None for got in found}


# -- cookies


def browser_logs_in(client: FlaskClient) -> dict[str, str]:
    answer = client.post("/logins/cookies", json=LOGIN)
    flags = {cookie.partition("=")[0]: cookie for cookie in answer.headers.getlist("Set-Cookie")}
    assert [name for name, text in flags.items() if "HttpOnly" in text] == ["access_token", "refresh_token"]
    assert all("SameSite=Lax" in text and "Path=/logins" in text for text in flags.values())
    return {"X-CSRF-Token": client.get_cookie("csrf_token", path="/logins").value}


def cookies(client: FlaskClient) -> dict[str, str]:
    names = ("access_token", "refresh_token", "csrf_token")
    return {name: client.get_cookie(name, path="/logins").value for name in names}


def put_back(client: FlaskClient, kept: dict[str, str]) -> None:
    for name, value in kept.items():
        client.set_cookie(name, value, path="/logins")


def test_cookies_read_alone_and_write_with_the_csrf_token(client: FlaskClient) -> None:
    headers = browser_logs_in(client)
    assert client.get("/logins/me").json["user"] == "carol"
    assert code(client.post("/logins/me")) == (403, "csrf_failed")
    assert client.post("/logins/me", headers=headers).status_code == 200
    foreign = {**headers, "Origin": "https://evil.example"}
    assert code(client.post("/logins/me", headers=foreign)) == (403, "csrf_failed")


def test_a_second_refresh_by_cookie_gets_the_same_pair_for_ten_seconds(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = browser_logs_in(client)
    old = cookies(client)
    assert code(client.post("/logins/cookies/refresh")) == (403, "csrf_failed")
    assert client.post("/logins/cookies/refresh", headers=headers).status_code == 200
    first = cookies(client)
    assert first["refresh_token"] != old["refresh_token"]
    put_back(client, old)
    assert client.post("/logins/cookies/refresh", headers=headers).status_code == 200
    assert cookies(client) == first
    later = sessions.now() + timedelta(seconds=11)
    monkeypatch.setattr(sessions, "now", lambda: later)
    put_back(client, old)
    assert code(client.post("/logins/cookies/refresh", headers=headers)) == (401, "invalid_token")
    put_back(client, first)
    assert code(client.get("/logins/me")) == (401, "invalid_token")


def test_a_cookie_two_generations_old_has_no_grace(client: FlaskClient) -> None:
    headers = browser_logs_in(client)
    old = cookies(client)
    for _ in range(2):
        assert client.post("/logins/cookies/refresh", headers=headers).status_code == 200
    put_back(client, old)
    assert code(client.post("/logins/cookies/refresh", headers=headers)) == (401, "invalid_token")


def test_logging_out_deletes_the_cookies(client: FlaskClient) -> None:
    headers = browser_logs_in(client)
    kept = cookies(client)
    assert client.post("/logins/logout", headers=headers).status_code == 200
    assert client.get_cookie("access_token", path="/logins") is None
    put_back(client, kept)
    assert code(client.get("/logins/me")) == (401, "invalid_token")
