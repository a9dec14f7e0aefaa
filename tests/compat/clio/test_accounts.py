"""Register, log in, log out, profile and figures."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient

from speakr.backends import Backends
from speakr.db import db, unit_of_work
from speakr.domain.errors import UserExists
from speakr.domain.recordings import RecordingStatus
from speakr.models import Recording, User
from speakr.services.accounts import budgets, registration, users
from speakr.services.system import system_settings
from speakr.settings import Settings
from tests.compat.clio.conftest import API, JOHN, bearer, log_in, refresh
from tests.compat.clio.test_failures import checked
from tests.conftest import multipart, wav
from tests.support.apps import BuiltApps

QUOTA = 1000 * 1024 * 1024


def register(client: FlaskClient, **changes: Any) -> Any:
    return client.post(f"{API}/auth/register/", json={**JOHN, **changes})


def test_registering_returns_the_user_and_tokens(clio: FlaskClient) -> None:
    answer = register(clio)
    assert answer.status_code == 201
    body = answer.json
    assert (body["success"], body["message"]) == (True, "User registered successfully")
    user = body["data"]["user"]
    assert {"id", "date_joined", "profile"} < set(user)
    assert {name: user[name] for name in ("username", "email", "first_name", "last_name")} == {
        name: JOHN[name] for name in ("username", "email", "first_name", "last_name")
    }
    assert (
        user["profile"].items()
        >= {
            "preferred_language": "en-US",
            "audio_quality": "high",
            "storage_quota_mb": 1000,
            "storage_used_mb": 0.0,
            "storage_percentage": 0.0,
        }.items()
    )
    claims = [
        jwt.decode(body["data"]["tokens"][kind], options={"verify_signature": False}) for kind in TOKENS
    ]
    assert [each["exp"] - each["iat"] for each in claims] == [3600, 7 * 86400]
    assert all({"token_type", "exp", "iat", "jti", "user_id"} <= set(each) for each in claims)
    cookies = answer.headers.getlist("Set-Cookie")
    assert [cookie.partition("=")[0] for cookie in cookies] == ["access_token", "refresh_token"]
    assert all("HttpOnly" in cookie and "SameSite=Lax" in cookie for cookie in cookies)
    assert ["Path=/;" in f"{cookies[0]};", "Path=/clio/api/auth/" in cookies[1]] == [True, True]
    assert answer.headers["Cache-Control"] == "no-store"


TOKENS = ("access", "refresh")


def test_a_name_registers_once_whatever_its_case(script: FlaskClient) -> None:
    assert register(script).status_code == 201
    for name in ("john_doe", "JOHN_DOE", " john_doe "):
        body = checked(register(script, username=name, email="other@example.com"), 400)
        assert body["errors"]["username"]
    body = checked(register(script, username="other"), 400)
    assert body["errors"]["email"]


def test_of_ten_registrations_at_once_one_gets_the_name(app: Flask) -> None:
    form = {name: JOHN[name] for name in ("username", "password", "first_name", "last_name")}
    new = registration.prepare(**form)
    start = threading.Barrier(10)
    outcomes: list[str] = []

    def run(number: int) -> None:
        with app.app_context():
            start.wait()
            try:
                with unit_of_work():
                    registration.create(replace(new, email=f"john{number}@example.com"))
            except UserExists as error:
                outcomes.append(*error.errors)
            else:
                outcomes.append("registered")

    threads = [threading.Thread(target=run, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["registered", *["username"] * 9]
    assert db.session.query(User).filter_by(username="john_doe").count() == 1


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"password_confirm": "another"}, "non_field_errors"),
        ({"username": ""}, "username"),
        ({"username": "two words"}, "username"),
        ({"username": "x" * 81}, "username"),
        ({"email": "no address"}, "email"),
        ({"password": "Sh0rt!", "password_confirm": "Sh0rt!"}, "password"),
        ({"password": "8274619305", "password_confirm": "8274619305"}, "password"),
        ({"password": "Password123", "password_confirm": "Password123"}, "password"),
        ({"password": "john_doe1", "password_confirm": "john_doe1"}, "password"),
        ({"password": "john@example", "password_confirm": "john@example"}, "password"),
    ],
)
def test_wrong_registrations_name_the_reason(
    script: FlaskClient, changes: dict[str, str], field: str
) -> None:
    body = checked(register(script, **changes), 400)
    assert set(body["errors"]) == {field}
    assert users.find(JOHN["username"]) is None


@pytest.mark.on_sqlite
def test_registration_is_closed_by_default(
    app: Flask, built_apps: BuiltApps, settings: Settings, backends: Backends
) -> None:
    assert Settings(secret_key="k" * 32).registration is False
    closed = replace(settings, registration=False)
    client = built_apps.of(closed, replace(backends, settings=closed)).test_client()
    body = checked(register(client), 403)
    assert body["detail"] == "Registration is not enabled on this server."


def test_login_returns_bare_tokens(script: FlaskClient, john: dict[str, str]) -> None:
    del john
    assert set(log_in(script).json) == {"refresh", "access"}


@pytest.mark.on_sqlite
@pytest.mark.parametrize("name", ["john_doe", "unknown"])
def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(
    script: FlaskClient, john: dict[str, str], name: str
) -> None:
    del john
    answer = script.post(f"{API}/auth/login/", json={"username": name, "password": "wrong"})
    body = checked(answer, 401)
    assert body["detail"] == "The user name or the password is wrong."
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_stale_cookie_and_a_dead_bearer_do_not_block_public_endpoints(clio: FlaskClient) -> None:
    for name, path in (("access_token", "/"), ("refresh_token", "/clio/api/auth/")):
        clio.set_cookie(name, "dead", path=path)
    dead = {"Authorization": "Bearer dead"}
    assert clio.post(f"{API}/auth/register/", json=JOHN, headers=dead).status_code == 201
    clio.set_cookie("access_token", "dead", path="/")
    assert log_in(clio).status_code == 200
    assert clio.get(f"{API}/stats/").status_code == 200


def test_logout_ends_the_session_of_the_refresh_token(script: FlaskClient, john: dict[str, str]) -> None:
    answer = script.post(f"{API}/auth/logout/", json={"refresh_token": john["refresh"]}, headers=bearer(john))
    assert (answer.status_code, answer.json["success"]) == (200, True)
    checked(refresh(script, john["refresh"]), 401)
    checked(script.get(f"{API}/stats/", headers=bearer(john)), 401)


def test_logout_ends_another_session_of_the_same_user(script: FlaskClient, john: dict[str, str]) -> None:
    other = log_in(script).json
    answer = script.post(
        f"{API}/auth/logout/", json={"refresh_token": other["refresh"]}, headers=bearer(john)
    )
    assert answer.status_code == 200
    checked(refresh(script, other["refresh"]), 401)
    assert refresh(script, john["refresh"]).status_code == 200


@pytest.mark.parametrize("kind", ["garbage", "access", "stranger"])
def test_logout_refuses_other_tokens(script: FlaskClient, john: dict[str, str], kind: str) -> None:
    jane = register(script, username="jane", email="jane@example.com", first_name="Jane").json["data"][
        "tokens"
    ]
    token = {"garbage": "a.b.c", "access": john["access"], "stranger": jane["refresh"]}[kind]
    checked(script.post(f"{API}/auth/logout/", json={"refresh_token": token}, headers=bearer(john)), 400)
    assert refresh(script, jane["refresh"]).status_code == 200
    assert refresh(script, john["refresh"]).status_code == 200


@pytest.mark.on_sqlite
def test_the_whole_profile_can_be_sent_back(script: FlaskClient, john: dict[str, str]) -> None:
    url, headers = f"{API}/auth/profile/", bearer(john)
    profile = script.get(url, headers=headers).json["data"]
    changed = {
        **profile,
        "preferred_language": "de-DE",
        "storage_quota_mb": 9_999_999,
        "username": "root",
        "first_name": "Eve",
    }
    for method, language in (("PUT", "de-DE"), ("PATCH", "zh-CN")):
        answer = script.open(
            url, method=method, json={**changed, "preferred_language": language}, headers=headers
        )
        assert answer.status_code == 200
        assert answer.json["data"] == {**profile, "preferred_language": language}
    assert script.patch(url, json={}, headers=headers).status_code == 200
    for wrong in ({"preferred_language": "tlh"}, {"audio_quality": "best"}, {"audio_quality": None}):
        body = checked(script.patch(url, json=wrong, headers=headers), 400)
        assert set(body["errors"]) == set(wrong)
    native = script.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {native_token(script)}"}).json
    assert native["preferences"]["preferred_language"] == "zh-CN"
    assert (native["first_name"], native["last_name"]) == ("John", "Doe")


def native_token(client: FlaskClient) -> str:
    form = {key: JOHN[key] for key in ("username", "password")}
    token: str = client.post("/api/v1/auth/login", json=form).json["access_token"]
    return token


def upload(client: FlaskClient, token: str, audio: bytes) -> Any:
    body, content_type = multipart(audio, "a.wav", {})
    headers = {"Authorization": f"Bearer {token}"}
    return client.post("/api/v1/recordings/upload", data=body, content_type=content_type, headers=headers)


def test_storage_is_counted_to_the_byte_and_enforced(script: FlaskClient, john: dict[str, str]) -> None:
    audio, token = wav(2.0), native_token(script)
    with unit_of_work() as session:
        user = session.query(User).filter_by(username="john_doe").one()
        assert user.storage_quota_bytes == QUOTA
        user.storage_quota_bytes = 2 * len(audio)
        user_id = user.id
    answer = upload(script, token, audio)
    assert answer.status_code == 202
    kept = budgets.storage_used(user_id)
    profile = script.get(f"{API}/auth/profile/", headers=bearer(john)).json["data"]
    assert profile["storage_used_mb"] == round(kept / 1024 / 1024, 2) > 0
    assert profile["storage_percentage"] == round(100 * kept / (2 * len(audio)), 1)
    assert upload(script, token, wav(1.9)).status_code == 202
    refused = upload(script, token, wav(1.0))
    assert (refused.status_code, refused.json["code"]) == (403, "storage_quota_exceeded")
    for found in script.get("/api/v1/recordings", headers={"Authorization": f"Bearer {token}"}).json[
        "recordings"
    ]:
        deleted = script.delete(
            f"/api/v1/recordings/{found['id']}", headers={"Authorization": f"Bearer {token}"}
        )
        assert deleted.status_code in {200, 204}
    profile = script.get(f"{API}/auth/profile/", headers=bearer(john)).json["data"]
    assert (profile["storage_used_mb"], profile["storage_percentage"]) == (0.0, 0.0)


def test_a_default_quota_of_the_server_replaces_that_of_registration(script: FlaskClient) -> None:
    with unit_of_work():
        system_settings.put("default_storage_quota_mb", 7)
    profile = register(script).json["data"]["user"]["profile"]
    assert profile["storage_quota_mb"] == 7


def test_stats_count_the_callers_recordings(script: FlaskClient, john: dict[str, str]) -> None:
    mine = db.session.query(User.id).filter_by(username="john_doe").scalar()
    other = register(script, username="jane", email="jane@example.com").json["data"]["user"]["id"]
    states = RecordingStatus
    with unit_of_work() as session:
        for owner, status, more in (
            (mine, states.COMPLETED, {"audio_duration": 10.5, "language": "es", "confidence": 0.9}),
            (mine, states.SUMMARIZING, {"audio_duration": 2.0, "language": "en", "confidence": 0.7}),
            (mine, states.COMPLETED, {"language": "en", "is_highlighted": True}),
            (mine, states.PENDING, {}),
            (mine, states.PROCESSING, {}),
            (mine, states.FAILED, {}),
            (other, states.COMPLETED, {"audio_duration": 99.0, "language": "de", "is_highlighted": True}),
        ):
            session.add(
                Recording(
                    user_id=owner,
                    title="x",
                    status=status,
                    original_filename="a.wav",
                    mime_type="audio/wav",
                    file_size=1,
                    sha256="0" * 64,
                    **more,
                )
            )
    answer = script.get(f"{API}/stats/", headers=bearer(john))
    assert answer.status_code == 200
    assert answer.json == {
        "success": True,
        "data": {
            "total_notes": 6,
            "completed_notes": 3,
            "processing_notes": 2,
            "failed_notes": 1,
            "favorite_notes": 1,
            "total_duration_seconds": 12.5,
            "languages_used": ["en", "es"],
            "storage_used_mb": 0.0,
            "storage_quota_mb": 1000,
            "storage_percentage": 0.0,
            "success_rate": 75.0,
            "average_confidence": 0.8,
        },
    }
