"""Spellings of credentials, paths and hosts, and the headers of the documentation page."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace

import pytest
from flask import Flask

from speakr.db import unit_of_work
from speakr.services.accounts import users
from speakr.settings import Settings
from tests.conftest import Person

pytestmark = pytest.mark.on_sqlite

ME = "/api/v1/users/me"


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    return replace(settings, **getattr(request, "param", {}))


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"}


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_of_a_token_has_no_case(alice: Person, scheme: str) -> None:
    assert alice.client.get(ME, headers={"Authorization": f"{scheme} {alice.token}"}).status_code == 200


@pytest.mark.parametrize("name", ["x", "", "alice", "api"])
def test_a_token_is_accepted_as_the_password_of_basic(alice: Person, name: str) -> None:
    answer = alice.client.get(ME, headers=basic(name, alice.token))
    assert (answer.status_code, answer.json["id"]) == (200, alice.id)
    made = alice.client.post("/api/v1/tokens", headers=basic(name, alice.token), json={"scopes": ["read"]})
    assert made.status_code == 201


def test_a_password_is_no_token_and_opens_what_it_opened_before(alice: Person, app: Flask) -> None:
    long = "a long password of more than 32 characters"
    with unit_of_work():
        users.create(username="carol", password=long)
    client = app.test_client()
    assert client.post("/api/v1/tokens", headers=basic("carol", long), json={}).status_code == 201
    refused = client.get(ME, headers=basic("carol", long))
    assert (refused.status_code, refused.json["code"]) == (401, "invalid_token")
    wrong = client.post("/api/v1/tokens", headers=basic("carol", long + "x"), json={})
    assert (wrong.status_code, wrong.json["code"]) == (401, "wrong_password")
    assert client.get(ME, headers=basic("carol", "short")).json["code"] == "not_authenticated"


def test_a_revoked_token_is_refused_as_a_password_too(alice: Person) -> None:
    made = alice.post("/api/v1/tokens", json={}).json
    alice.delete(f"/api/v1/tokens/{made['id']}")
    for answer in (
        alice.client.get(ME, headers=basic("x", made["token"])),
        alice.client.post("/api/v1/tokens", headers=basic("x", made["token"]), json={}),
    ):
        assert (answer.status_code, answer.json["code"]) == (401, "invalid_token")


@pytest.mark.parametrize(
    "path",
    [
        "//api/v1/users/me",
        "/api//v1/users/me",
        "/api/v1/users/me//",
        "/api/v1%2fusers/me",
        "/api%2Fv1/users/me",
        "/%2fapi/v1/users/me",
        "/api/v1/users%5cme",
        "/api/v1/users/me%00",
        "http://localhost//api/v1/users/me",
        "http://localhost/api%2fv1/users/me",
    ],
)
def test_another_spelling_of_a_path_reaches_nothing(alice: Person, path: str) -> None:
    raw = path.removeprefix("http://localhost")
    from urllib.parse import unquote

    answer = alice.get(
        "/", environ_overrides={"PATH_INFO": unquote(raw), "RAW_URI": path, "REQUEST_URI": path}
    )
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "raw", [f"{ME}?next=//a%2fb", f"http://localhost{ME}", "http://localhost" + ME + "?a=//"]
)
def test_slashes_elsewhere_in_a_request_are_fine(alice: Person, raw: str) -> None:
    assert alice.get(ME, environ_overrides={"RAW_URI": raw, "REQUEST_URI": raw}).status_code == 200


@pytest.mark.parametrize("settings", [{"allowed_hosts": "speakr.example, Other.example"}], indirect=True)
@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("speakr.example", 200),
        ("SPEAKR.example:8443", 200),
        ("speakr.example.", 200),
        ("other.example", 200),
        ("evil.example", 400),
        ("speakr.example.evil.example", 400),
        ("10.0.0.1", 400),
        ("[::1]:80", 400),
    ],
)
def test_only_allowed_hosts_are_served(alice: Person, host: str, status: int) -> None:
    answer = alice.get(ME, headers={"Host": host})
    assert answer.status_code == status
    if status == 400:
        assert answer.json["code"] == "host_not_allowed"
    assert alice.client.get("/healthz", headers={"Host": host}).status_code == 200


def test_without_the_setting_any_host_is_served(alice: Person) -> None:
    assert alice.get(ME, headers={"Host": "anything.example"}).status_code == 200


def test_the_documentation_loads_nothing_from_elsewhere_and_is_in_no_frame(app: Flask) -> None:
    answer = app.test_client().get("/api/v1/docs/", buffered=True)
    policy = answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
    for script in re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    file = app.test_client().get("/api/v1/docs/swagger-ui.css", buffered=True)
    assert (file.status_code, "Content-Security-Policy" in file.headers) == (200, True)
