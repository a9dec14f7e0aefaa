"""Registration and login of the native API: tokens in bodies, or cookies with a CSRF token."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from speakr.services.accounts import users
from speakr.settings import Settings
from tests.conftest import Person

AUTH = "/api/v1/auth"
JANE = {"username": "jane", "password": "a long sentence", "email": "jane@example.com", "first_name": "Jane"}
LOGIN = {"username": "jane", "password": "a long sentence"}
PATHS = {"speakr_access": "/api/v1", "speakr_refresh": "/api/v1/auth", "speakr_csrf": "/api/v1"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, registration=True)


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    """A client that keeps cookies."""
    return app.test_client()


@pytest.fixture
def script(app: Flask) -> FlaskClient:
    return app.test_client(use_cookies=False)


@pytest.fixture
def jane(script: FlaskClient) -> dict[str, Any]:
    answer = script.post(f"{AUTH}/register", json=JANE)
    assert answer.status_code == 201, answer.json
    body: dict[str, Any] = answer.json
    return body


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["code"]


def cookies(client: FlaskClient) -> dict[str, str]:
    found = {name: client.get_cookie(name, path=path) for name, path in PATHS.items()}
    return {name: cookie.value for name, cookie in found.items() if cookie is not None}


def test_registering_returns_the_user_and_tokens(script: FlaskClient, jane: dict[str, Any]) -> None:
    assert jane["user"]["username"] == "jane"
    assert (jane["user"]["first_name"], jane["user"]["last_name"]) == ("Jane", None)
    assert (jane["user"]["is_admin"], jane["user"]["email_verified"]) == (False, False)
    assert (jane["token_type"], jane["expires_in"]) == ("Bearer", 3600)
    me = script.get(f"{AUTH}/me", headers=bearer(jane["access_token"]))
    assert me.json == jane["user"]
    assert script.get("/api/v1/recordings", headers=bearer(jane["access_token"])).status_code == 200


def test_names_and_addresses_are_unique(script: FlaskClient, jane: dict[str, Any]) -> None:
    del jane
    answer = script.post(f"{AUTH}/register", json={**JANE, "username": "JANE"})
    assert (*code(answer), set(answer.json["errors"])) == (409, "user_exists", {"username"})
    answer = script.post(f"{AUTH}/register", json={**JANE, "username": "other"})
    assert (*code(answer), set(answer.json["errors"])) == (409, "user_exists", {"email"})


@pytest.mark.on_sqlite
def test_a_weak_password_is_refused_with_all_reasons(script: FlaskClient) -> None:
    answer = script.post(f"{AUTH}/register", json={**JANE, "password": "12345678"})
    assert code(answer) == (400, "weak_password")
    assert len(answer.json["errors"]["password"]) == 2
    assert users.find("jane") is None


@pytest.mark.on_sqlite
class TestClosed:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, registration=False)

    def test_without_the_setting_none_can_register(self, script: FlaskClient) -> None:
        assert code(script.post(f"{AUTH}/register", json=JANE)) == (403, "registration_disabled")
        assert users.find("jane") is None


@pytest.mark.on_sqlite
@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"username": "unknown"}])
def test_a_wrong_login_does_not_say_what_is_wrong(
    script: FlaskClient, jane: dict[str, Any], wrong: dict[str, str]
) -> None:
    del jane
    answer = script.post(f"{AUTH}/login", json={**LOGIN, **wrong})
    assert code(answer) == (401, "wrong_password")
    assert answer.json["error"] == "The user name or the password is wrong."


def test_a_refresh_token_is_good_for_one_refresh(script: FlaskClient, jane: dict[str, Any]) -> None:
    old = {"refresh_token": jane["refresh_token"]}
    following = script.post(f"{AUTH}/refresh", json=old).json
    assert script.get(f"{AUTH}/me", headers=bearer(following["access_token"])).status_code == 200
    assert code(script.post(f"{AUTH}/refresh", json=old)) == (401, "invalid_token")
    assert code(script.get(f"{AUTH}/me", headers=bearer(following["access_token"]))) == (401, "invalid_token")
    assert code(script.post(f"{AUTH}/refresh")) == (400, "invalid")


def test_logging_out_ends_one_session_or_all(script: FlaskClient, jane: dict[str, Any]) -> None:
    second, third = (script.post(f"{AUTH}/login", json=LOGIN).json for _ in range(2))
    answer = script.post(f"{AUTH}/logout", headers=bearer(jane["access_token"]))
    assert (answer.status_code, answer.data) == (204, b"")
    assert code(script.get(f"{AUTH}/me", headers=bearer(jane["access_token"]))) == (401, "invalid_token")
    everywhere = {"everywhere": True}
    assert (
        script.post(f"{AUTH}/logout", json=everywhere, headers=bearer(second["access_token"])).status_code
        == 204
    )
    answer = script.post(f"{AUTH}/refresh", json={"refresh_token": third["refresh_token"]})
    assert code(answer) == (401, "invalid_token")


@pytest.mark.on_sqlite
def test_an_api_token_has_no_session_to_end(script: FlaskClient, alice: Person) -> None:
    answer = script.post(f"{AUTH}/logout", json={"everywhere": True}, headers=bearer(alice.token))
    assert code(answer) == (403, "session_required")


# -- cookies


def test_cookies_hide_the_tokens_and_need_the_csrf_token_for_writes(
    browser: FlaskClient, jane: dict[str, Any]
) -> None:
    del jane
    answer = browser.post(f"{AUTH}/login", json={**LOGIN, "cookies": True})
    assert set(answer.json) == {"csrf_token", "token_type", "expires_in"}
    assert set(cookies(browser)) == set(PATHS)
    headers = {"X-CSRF-Token": answer.json["csrf_token"]}
    assert browser.get("/api/v1/users/me").status_code == 200
    change = {"job_title": "Editor"}
    assert code(browser.patch("/api/v1/users/me", json=change)) == (403, "csrf_failed")
    assert browser.patch("/api/v1/users/me", json=change, headers=headers).status_code == 200
    evil = {**headers, "Origin": "https://evil.example"}
    assert code(browser.patch("/api/v1/users/me", json=change, headers=evil)) == (403, "csrf_failed")
    assert code(browser.post(f"{AUTH}/refresh")) == (403, "csrf_failed")
    old = cookies(browser)
    assert browser.post(f"{AUTH}/refresh", headers=headers).status_code == 200
    assert cookies(browser)["speakr_refresh"] != old["speakr_refresh"]
    assert browser.post(f"{AUTH}/logout", headers=headers).status_code == 204
    assert cookies(browser) == {}


@pytest.mark.on_sqlite
@pytest.mark.parametrize("header", ["Authorization", "X-API-Token"])
def test_a_stale_cookie_does_not_refuse_a_valid_token(
    browser: FlaskClient, alice: Person, header: str
) -> None:
    browser.set_cookie("speakr_access", "a.b.c", path="/api/v1")
    value = f"Bearer {alice.token}" if header == "Authorization" else alice.token
    assert browser.get("/api/v1/users/me", headers={header: value}).status_code == 200
    assert code(browser.get("/api/v1/users/me")) == (401, "invalid_token")
