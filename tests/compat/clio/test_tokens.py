"""Clio's tokens: refreshed by body and by cookie, at once, forged, of another family, of changed users."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient

from speakr.db import db, unit_of_work
from speakr.domain.errors import NotAuthenticated
from speakr.models import Session, User
from speakr.services.accounts import sessions, users
from speakr.services.accounts.key_derivation import derived_key
from tests.compat.clio.conftest import API, JOHN, PAGE, bearer, log_in, refresh
from tests.compat.clio.test_failures import checked

LOGIN = {name: JOHN[name] for name in ("username", "password")}
PATHS = {"access_token": "/", "refresh_token": "/clio/api/auth/"}
FROM_PAGE = {"Origin": PAGE}


def stats(client: FlaskClient, token: str) -> Any:
    return client.get(f"{API}/stats/", headers={"Authorization": f"Bearer {token}"})


def cookies(client: FlaskClient) -> dict[str, str]:
    found = {name: client.get_cookie(name, path=path) for name, path in PATHS.items()}
    return {name: cookie.value for name, cookie in found.items() if cookie is not None}


def put_back(client: FlaskClient, kept: dict[str, str]) -> None:
    for name, value in kept.items():
        client.set_cookie(name, value, path=PATHS[name])


# -- by body


def test_a_refresh_by_body_gives_a_new_pair_once(script: FlaskClient, john: dict[str, str]) -> None:
    following = refresh(script, john["refresh"]).json
    assert set(following) == {"refresh", "access"}
    assert following["refresh"] != john["refresh"]
    assert stats(script, following["access"]).status_code == 200
    checked(refresh(script, john["refresh"]), 401)


def test_a_reused_token_revokes_all_tokens_of_its_session(script: FlaskClient, john: dict[str, str]) -> None:
    following = refresh(script, john["refresh"]).json
    checked(refresh(script, john["refresh"]), 401)
    checked(refresh(script, following["refresh"]), 401)
    checked(stats(script, following["access"]), 401)


@pytest.mark.on_sqlite
@pytest.mark.parametrize("sent", [{}, {"json": {}}, {"json": {"refresh": ""}}, {"json": {"refresh": None}}])
def test_a_refresh_without_any_token_is_a_bad_request(script: FlaskClient, sent: dict[str, Any]) -> None:
    body = checked(script.post(f"{API}/auth/refresh/", **sent), 400)
    assert body["errors"] == {"refresh": ["is required"]}


# -- by cookie


def test_cookies_alone_read_and_write_from_a_listed_page(clio: FlaskClient, john: dict[str, str]) -> None:
    del john
    log_in(clio)
    url = f"{API}/auth/profile/"
    assert clio.get(url).status_code == 200
    sent = {"audio_quality": "low"}
    assert clio.patch(url, json=sent, headers=FROM_PAGE).status_code == 200
    assert clio.patch(url, json=sent, headers={"Origin": "http://localhost"}).status_code == 200
    assert clio.patch(url, json=sent, headers={"Referer": f"{PAGE}/notes"}).status_code == 200
    for headers in ({}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Referer": "http://evil/"}):
        checked(clio.patch(url, json=sent, headers=headers), 403)
        checked(clio.post(f"{API}/auth/refresh/", headers=headers), 403)
        checked(clio.post(f"{API}/auth/logout/", headers=headers), 403)


def test_a_refresh_by_cookie_needs_neither_body_nor_content_type(
    clio: FlaskClient, john: dict[str, str]
) -> None:
    del john
    log_in(clio)
    old = cookies(clio)
    answer = clio.post(f"{API}/auth/refresh/", headers=FROM_PAGE)
    assert answer.status_code == 200
    assert cookies(clio) == {"access_token": answer.json["access"], "refresh_token": answer.json["refresh"]}
    assert set(cookies(clio).items()).isdisjoint(old.items())


def test_a_cookie_that_was_used_gets_the_same_pair_for_ten_seconds_and_then_nothing(
    clio: FlaskClient, john: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del john
    log_in(clio)
    old = cookies(clio)
    first = clio.post(f"{API}/auth/refresh/", headers=FROM_PAGE).json
    put_back(clio, old)
    assert clio.post(f"{API}/auth/refresh/", headers=FROM_PAGE).json == first
    later = sessions.now() + timedelta(seconds=11)
    monkeypatch.setattr(sessions, "now", lambda: later)
    put_back(clio, old)
    checked(clio.post(f"{API}/auth/refresh/", headers=FROM_PAGE), 401)
    assert cookies(clio) == {}


def test_an_empty_refresh_token_at_logout_means_the_cookie(clio: FlaskClient, john: dict[str, str]) -> None:
    del john
    log_in(clio)
    kept = cookies(clio)
    answer = clio.post(f"{API}/auth/logout/", json={"refresh_token": ""}, headers=FROM_PAGE)
    assert (answer.status_code, cookies(clio)) == (200, {})
    put_back(clio, kept)
    checked(clio.get(f"{API}/stats/"), 401)
    checked(clio.post(f"{API}/auth/refresh/", headers=FROM_PAGE), 401)


# -- at once


def at_once(app: Flask, attempt: Callable[[], str | None]) -> list[str]:
    """Run an attempt twice at the same time; return the refresh tokens that came out."""
    start = threading.Barrier(2)
    found: list[str | None] = []

    def run() -> None:
        with app.test_request_context(f"{API}/auth/refresh/", method="POST"):
            start.wait()
            found.append(attempt())

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [token for token in found if token]


def rotated(token: str, grace_seconds: int) -> str | None:
    """Refresh as the endpoint does, without its password hashing and its rate limits."""
    from speakr.compat.clio.accounts import PAIRS
    from speakr.web.authenticators.jwt_pair import _claims

    try:
        return PAIRS._refresh(_claims(token, "refresh"), timedelta(seconds=grace_seconds)).refresh
    except NotAuthenticated:
        return None


def test_fifty_pairs_of_refreshes_by_cookie_log_no_user_out(app: Flask, john: dict[str, str]) -> None:
    token = john["refresh"]
    for _ in range(50):
        found = at_once(app, lambda token=token: rotated(token, 10))  # type: ignore[misc]
        assert len(found) == 2
        assert found[0] == found[1] != token
        token = found[0]
    db.session.rollback()
    assert db.session.query(Session).one().revoked_at is None


def test_of_fifty_pairs_of_refreshes_by_body_no_token_works_twice(
    app: Flask, script: FlaskClient, john: dict[str, str]
) -> None:
    checked_password = users.check_password(**LOGIN)
    for _ in range(50):
        from speakr.compat.clio.accounts import PAIRS

        with app.test_request_context(f"{API}/auth/login/", method="POST"):
            token = PAIRS.log_in(checked_password).refresh
        assert len(at_once(app, lambda token=token: rotated(token, 0))) <= 1  # type: ignore[misc]
        checked(refresh(script, token), 401)
    assert refresh(script, john["refresh"]).status_code == 200


# -- what is no token of this family


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def signed(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, derived_key("json web tokens").hex(), "HS256")


FORGED: dict[str, Callable[[str], str]] = {
    "alg none": lambda token: jwt.encode(claims_of(token), None, "none"),
    "alg HS512": lambda token: jwt.encode(claims_of(token), derived_key("json web tokens").hex(), "HS512"),
    "another key": lambda token: jwt.encode(claims_of(token), "x" * 40, "HS256"),
    "expired": lambda token: signed({**claims_of(token), "exp": claims_of(token)["iat"] - 1}),
    "no issuer": lambda token: signed({k: v for k, v in claims_of(token).items() if k != "iss"}),
    "another issuer": lambda token: signed({**claims_of(token), "iss": "speakr:native"}),
    "another session": lambda token: signed({**claims_of(token), "sid": 999_999}),
    "changed signature": lambda token: token[:-6] + "AAAAAA",
    "no JSON": lambda _: "eyJ.eyJ.x",
}


@pytest.mark.on_sqlite
@pytest.mark.parametrize("name", FORGED)
def test_forged_tokens_are_refused(script: FlaskClient, john: dict[str, str], name: str) -> None:
    checked(stats(script, FORGED[name](john["access"])), 401)
    checked(refresh(script, FORGED[name](john["refresh"])), 401)
    assert refresh(script, john["refresh"]).status_code == 200


@pytest.mark.on_sqlite
def test_the_two_kinds_of_tokens_do_not_stand_for_each_other(
    script: FlaskClient, john: dict[str, str]
) -> None:
    checked(stats(script, john["refresh"]), 401)
    checked(refresh(script, john["access"]), 401)


@pytest.mark.on_sqlite
def test_tokens_of_the_native_api_and_of_clio_are_not_exchangeable(
    clio: FlaskClient, script: FlaskClient, john: dict[str, str]
) -> None:
    native = script.post("/api/v1/auth/login", json=LOGIN).json
    checked(stats(script, native["access_token"]), 401)
    checked(refresh(script, native["refresh_token"]), 401)
    headers = bearer(john)
    assert script.get("/api/v1/auth/me", headers=headers).status_code == 401
    sent = {"refresh_token": john["refresh"]}
    assert script.post("/api/v1/auth/refresh", json=sent).status_code == 401
    assert stats(script, john["access"]).status_code == 200
    log_in(clio)
    assert clio.get("/api/v1/auth/me").status_code == 401


def disabled(user: User) -> None:
    user.is_active = False


def test_a_disabled_user_is_refused(script: FlaskClient, john: dict[str, str]) -> None:
    with unit_of_work() as session:
        disabled(session.query(User).filter_by(username="john_doe").one())
    checked(stats(script, john["access"]), 401)
    checked(refresh(script, john["refresh"]), 401)
    checked(script.post(f"{API}/auth/login/", json=LOGIN), 401)


def test_a_changed_password_ends_all_sessions(script: FlaskClient, john: dict[str, str]) -> None:
    native = script.post("/api/v1/auth/login", json=LOGIN).json["access_token"]
    changed = script.patch(
        "/api/v1/users/me",
        json={"password": "another long one", "current_password": LOGIN["password"]},
        headers={"Authorization": f"Bearer {native}"},
    )
    assert changed.status_code == 200
    checked(stats(script, john["access"]), 401)
    checked(refresh(script, john["refresh"]), 401)


def test_an_api_token_is_taken_as_bearer(script: FlaskClient, alice: Any) -> None:
    assert stats(script, alice.token).status_code == 200


# -- CORS


@pytest.mark.on_sqlite
@pytest.mark.parametrize("port", [3000, 3011])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_listed_pages_may_send_cookies(clio: FlaskClient, host: str, port: int) -> None:
    origin = f"http://{host}:{port}"
    for answer in (
        clio.get(f"{API}/stats/", headers={"Origin": origin}),
        clio.get("/clio/nothing", headers={"Origin": origin}),
        clio.options(
            f"{API}/auth/login/", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
        ),
    ):
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    "origin", ["http://localhost:3001", "https://localhost:3000", "https://evil.example"]
)
def test_other_pages_may_not_read(clio: FlaskClient, origin: str) -> None:
    answer = clio.get(f"{API}/health/", headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Origin" in answer.headers["Vary"]
