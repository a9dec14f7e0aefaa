"""Each failure under the prefix has Clio's shape and the shared headers."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from speakr.backends import Backends
from speakr.services.accounts import users
from speakr.services.recordings import totals
from speakr.settings import Settings
from tests.compat.clio.conftest import API, JOHN, bearer
from tests.compat.clio.matrix_rows import NEEDS_CREDENTIAL
from tests.support.apps import BuiltApps

pytestmark = pytest.mark.on_sqlite

WITH_DETAIL = {401, 403, 404, 429}


def checked(answer: Any, status: int) -> dict[str, Any]:
    body: dict[str, Any] = answer.json
    assert answer.status_code == status, body
    assert body["success"] is False
    assert body["message"]
    assert body["errors"]
    assert all(isinstance(texts, list) for texts in body["errors"].values())
    assert ("detail" in body) == (status in WITH_DETAIL)
    assert answer.headers["X-Request-ID"]
    assert float(answer.headers["X-Process-Time-Ms"]) >= 0
    return body


def test_health_answers_without_a_credential(clio: FlaskClient) -> None:
    for path in (f"{API}/health/", f"{API}/health"):
        answer = clio.get(path, headers={"Authorization": "Bearer dead"})
        assert (answer.status_code, answer.json) == (200, {"status": "ok"})
        assert answer.headers["X-Request-ID"]


@pytest.mark.parametrize(
    "path", ["/clio", "/clio/api/nothing/", "/clio/media/nothing", "/clio/api/notes/x/y/"]
)
def test_unrouted_paths(clio: FlaskClient, path: str) -> None:
    checked(clio.get(path), 404)


def test_other_methods(clio: FlaskClient) -> None:
    answer = clio.delete(f"{API}/stats/")
    checked(answer, 405)
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("row", sorted(NEEDS_CREDENTIAL))
def test_each_route_needs_a_credential(clio: FlaskClient, row: str) -> None:
    method, _, rule = row.partition(" ")
    path = re.sub(r"<[^>]*>", "1", rule)
    for headers in ({}, {"Authorization": "Bearer dead"}, {"Authorization": "Bearer a.b.c"}):
        answer = clio.open(path, method=method, headers=headers, json={})
        body = checked(answer, 401)
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert body["detail"] == body["message"]


def test_large_bodies(clio: FlaskClient) -> None:
    checked(clio.post(f"{API}/auth/login/", data=b"x" * (9 << 20), content_type="application/json"), 413)


def test_other_content_types(clio: FlaskClient) -> None:
    checked(clio.post(f"{API}/auth/login/", data=b"x", content_type="text/plain"), 415)


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"{}", b'{"username": 5, "password": []}'])
def test_malformed_bodies(clio: FlaskClient, body: bytes) -> None:
    checked(clio.post(f"{API}/auth/login/", data=body, content_type="application/json"), 400)


def test_crashes_reveal_nothing(
    script: FlaskClient, john: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_: object) -> None:
        raise RuntimeError("/srv/secret/path")

    monkeypatch.setattr(totals, "of_user", crash)
    answer = script.get(f"{API}/stats/", headers=bearer(john))
    checked(answer, 500)
    assert "secret" not in answer.get_data(as_text=True)


class TestThrottles:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(
            settings, rate_limits_enabled=True, rate_limit_compat_anonymous=10, rate_limit_compat_user=60
        )

    def test_ten_anonymous_requests_a_minute(self, clio: FlaskClient) -> None:
        seen = [clio.post(f"{API}/auth/refresh/", json={"refresh": "a.b.c"}) for _ in range(11)]
        assert [answer.status_code for answer in seen] == [401] * 10 + [429]
        checked(seen[-1], 429)
        assert 1 <= int(seen[-1].headers["Retry-After"]) <= 60
        assert {clio.get(f"{API}/health/").status_code for _ in range(30)} == {200}
        preflight = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
        assert clio.options(f"{API}/auth/refresh/", headers=preflight).status_code == 204

    def test_sixty_requests_of_a_user_a_minute(self, script: FlaskClient, john: dict[str, str]) -> None:
        seen = [script.get(f"{API}/stats/", headers=bearer(john)) for _ in range(61)]
        assert [answer.status_code for answer in seen] == [200] * 60 + [429]
        checked(seen[-1], 429)

    @pytest.fixture
    def strict_app(self, app: Flask, built_apps: BuiltApps, settings: Settings, backends: Backends) -> Flask:
        return built_apps.of(replace(settings, rate_limit_registration=2), backends)

    def test_new_accounts_per_address_over_all_families(self, strict_app: Flask) -> None:
        client = strict_app.test_client(use_cookies=False)
        assert client.post(f"{API}/auth/register/", json=JOHN).status_code == 201
        native = {"username": "jane", "password": "a long sentence"}
        assert client.post("/api/v1/auth/register", json=native).status_code == 201
        checked(client.post(f"{API}/auth/register/", json={**JOHN, "username": "third"}), 429)
        assert users.find("third") is None
