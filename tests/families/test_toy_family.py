"""An API family answers everything under its prefix in its own way, and changes nothing elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from speakr.db import unit_of_work
from speakr.domain.permissions import Scope
from speakr.services.accounts import users
from tests.conftest import Person
from tests.families.conftest import PAGE

pytestmark = pytest.mark.on_sqlite

PASSWORD = "correct horse battery"
TEXT = {"content_type": "text/plain"}


@pytest.fixture
def key(alice: Person) -> dict[str, str]:
    return {"X-API-Key": alice.token}


@pytest.fixture
def client(toy_app: Flask) -> FlaskClient:
    return toy_app.test_client()


def reason(answer: Any) -> tuple[int, str]:
    assert set(answer.json) == {"ok", "reason", "fields"}, answer.json
    assert answer.json["ok"] is False
    return answer.status_code, answer.json["reason"]


def test_its_credentials_let_in(client: FlaskClient, key: dict[str, str]) -> None:
    with unit_of_work():
        users.create(username="carol", password=PASSWORD)
    assert client.get("/toy/v2/me", headers=key).json == {"ok": True, "user": "alice"}
    assert client.get("/toy/v2/me", auth=("carol", PASSWORD)).json["user"] == "carol"


def test_credentials_of_other_families_do_not(client: FlaskClient, alice: Person) -> None:
    for sent in ({"Authorization": f"Bearer {alice.token}"}, {"X-API-Token": alice.token}, {}):
        answer = client.get("/toy/v2/me", headers=sent)
        assert reason(answer) == (401, "not_authenticated")
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="toy"'
    assert reason(client.get(f"/toy/v2/me?token={alice.token}")) == (401, "not_authenticated")
    assert client.get("/api/v1/users/me", headers={"X-API-Key": alice.token}).status_code == 401


REQUESTS: dict[str, tuple[str, str, dict[str, Any], tuple[int, str]]] = {
    "a wrong field": ("POST", "polish", {"json": {"level": "x"}}, (400, "invalid")),
    "broken JSON": (
        "POST",
        "polish",
        {"data": b"{", "content_type": "application/json"},
        (400, "bad_request"),
    ),
    "a wrong key": ("GET", "me", {"headers": {"X-API-Key": "wrong"}}, (401, "invalid_token")),
    "a wrong password": ("GET", "me", {"headers": {}, "auth": ("alice", "wrong")}, (401, "wrong_password")),
    "a missing thing": ("GET", "things/1", {}, (404, "not_found")),
    "no route": ("GET", "nothing", {}, (404, "not_found")),
    "no route, without credential": ("GET", "nothing", {"headers": {}}, (404, "not_found")),
    "the prefix itself": ("GET", "", {}, (404, "not_found")),
    "another method": ("DELETE", "me", {}, (405, "method_not_allowed")),
    "too large a body": ("POST", "polish", {"data": b"1" * (9 << 20), **TEXT}, (413, "too_large")),
    "another type": ("POST", "polish", {"data": b"x", **TEXT}, (415, "unsupported_media_type")),
    "an unexpected exception": ("GET", "things/13", {}, (500, "internal_error")),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_every_failure_has_its_format(client: FlaskClient, key: dict[str, str], name: str) -> None:
    method, path, sent, expected = REQUESTS[name]
    answer = client.open(f"/toy/v2/{path}", method=method, **{"headers": key, **sent})
    assert reason(answer) == expected
    assert "secret" not in answer.get_data(as_text=True)
    assert ("Allow" in answer.headers) is (expected[0] == 405)


def test_a_wrong_field_is_named(client: FlaskClient, key: dict[str, str]) -> None:
    assert client.post("/toy/v2/polish", json={}, headers=key).json["fields"] == ["level"]


def test_a_missing_scope_is_refused_in_its_format(
    client: FlaskClient, make_person: Callable[..., Person]
) -> None:
    reader = make_person("reader", scopes=frozenset({Scope.READ}))
    answer = client.post("/toy/v2/polish", json={"level": 1}, headers={"X-API-Key": reader.token})
    assert reason(answer) == (403, "scope_missing")


def test_its_own_rate_class_limits_and_is_counted_apart(
    client: FlaskClient, alice: Person, key: dict[str, str]
) -> None:
    answers = [client.post("/toy/v2/polish", json={"level": 1}, headers=key) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert reason(answers[2]) == (429, "rate_limited")
    assert answers[0].headers["RateLimit-Policy"] == '"polish";q=2;w=60'
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 60
    assert alice.get("/api/v1/users/me").headers["RateLimit-Remaining"] == "99"
    # A class that all families know is one count for the token.
    assert client.get("/toy/v2/me", headers=key).headers["RateLimit-Remaining"] == "98"


def test_guesses_are_counted_over_all_families(app: Flask, client: FlaskClient) -> None:
    for number in range(15):
        client.get("/toy/v2/me", headers={"X-API-Key": f"guess {number}"})
        client.get("/api/v1/users/me", headers={"X-API-Token": f"guess {number}"})
    assert reason(client.get("/toy/v2/me", headers={"X-API-Key": "guess"})) == (429, "rate_limited")
    assert client.get("/api/v1/users/me", headers={"X-API-Token": "guess"}).status_code == 429


def test_password_guesses_are_counted_before_they_are_checked(client: FlaskClient) -> None:
    answers = [client.get("/toy/v2/me", auth=("alice", "wrong")) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]


def test_its_pages_may_send_cookies(client: FlaskClient, key: dict[str, str]) -> None:
    preflight = client.options(
        "/toy/v2/polish", headers={"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    )
    for answer in (preflight, client.get("/toy/v2/me", headers={**key, "Origin": PAGE})):
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        assert answer.headers["Access-Control-Expose-Headers"] == "X-Toy"
    for origin in ("https://evil.example", "null"):
        answer = client.get("/toy/v2/me", headers={**key, "Origin": origin})
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control-")]


def test_failures_may_be_read_by_its_pages(client: FlaskClient) -> None:
    for path in ("/toy/v2/nothing", "/toy/v2/me"):
        answer = client.get(path, headers={"Origin": PAGE})
        assert answer.headers["Access-Control-Allow-Credentials"] == "true", path


def test_its_document_is_served_without_a_credential(client: FlaskClient) -> None:
    assert client.get("/toy/v2/openapi.json").json["info"] == {"title": "Toy"}
    assert client.get("/toy/v2/docs/").status_code == 404
