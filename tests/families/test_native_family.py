"""The native API does not change when another family is added, and needs none."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from speakr.app import FAMILIES
from speakr.web.access import undeclared
from tests.conftest import Person
from tests.families.conftest import PAGE
from tests.matrix.families import rows_of
from tests.matrix.routes import PUBLIC, ROUTES

pytestmark = pytest.mark.on_sqlite

VARIES = {"Date", "X-Process-Time-Ms", "RateLimit", "RateLimit-Reset", "X-RateLimit-Reset", "Retry-After"}
REMAINING = {"RateLimit-Remaining", "X-RateLimit-Remaining"}
EXTRA: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("GET", "/", {}),
    ("GET", "/toys", {}),
    ("GET", "/api/v1/nothing", {}),
    ("GET", "/api/v1//stats", {}),
    ("PUT", "/api/v1/recordings", {}),
    ("POST", "/api/v1/tokens", {"json": {"name": 5}}),
    ("POST", "/api/v1/tokens", {"data": b"{", "content_type": "application/json"}),
    ("POST", "/api/v1/tokens", {"data": b"x", "content_type": "text/plain"}),
    ("PATCH", "/api/v1/users/me", {"data": b"x" * (9 << 20), "content_type": "application/json"}),
    ("GET", "/api/v1/users/me", {"headers": {"Authorization": "Bearer wrong"}}),
    ("OPTIONS", "/api/v1/users/me", {"headers": {"Access-Control-Request-Method": "GET"}}),
)


def seen(app: Flask, method: str, path: str, headers: dict[str, str], sent: dict[str, Any]) -> Any:
    fixed = {"X-Request-ID": "r", "Origin": PAGE, **headers, **sent.get("headers", {})}
    answer = app.test_client().open(path, method=method, buffered=True, **{**sent, "headers": fixed})
    kept = sorted(pair for pair in answer.headers if pair[0] not in VARIES | REMAINING)
    return answer.status_code, [pair for pair in kept if pair[0] != "Allow"], answer.data


def test_every_native_route_answers_the_same_with_and_without_another_family(
    plain_app: Flask, toy_app: Flask, alice: Person
) -> None:
    """Without a credential for all routes, and with one for the requests above."""
    calls: list[tuple[str, str, dict[str, str], dict[str, Any]]] = []
    for route in sorted((set(ROUTES) | PUBLIC) - {"GET /metrics"}):
        method, rule = route.split(" ")
        if rows_of(rule) is not None:
            continue
        path = "/".join("1" if part.startswith("<") else part for part in rule.split("/"))
        calls.append((method, path, {}, {}))
    calls += [(*extra[:2], {"Authorization": f"Bearer {alice.token}"}, extra[2]) for extra in EXTRA]
    differing = {
        f"{method} {path}": (before, after)
        for method, path, headers, sent in calls
        if (before := seen(plain_app, method, path, headers, sent))
        != (after := seen(toy_app, method, path, headers, sent))
    }
    assert differing == {}
    assert len(calls) > 100


def test_the_openapi_document_is_the_same_byte_for_byte(plain_app: Flask, toy_app: Flask) -> None:
    first, second = (made.test_client().get("/api/v1/openapi.json") for made in (plain_app, toy_app))
    assert first.data == second.data
    assert len(first.json["paths"]) > 50


def test_without_its_line_a_family_leaves_no_trace(plain_app: Flask, toy_app: Flask) -> None:
    rules, more = ({rule.rule for rule in made.url_map.iter_rules()} for made in (plain_app, toy_app))
    assert {rule for rule in more - rules if not rule.startswith("/toy/v2/")} == set()
    assert rules < more
    answer = plain_app.test_client().get("/toy/v2/me")
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert "tests.families.toy:FAMILY" not in FAMILIES
    assert undeclared(plain_app) == undeclared(toy_app) == []


@pytest.mark.parametrize("path", ["/toy/v2x/me", "/toy", "/toy/v22", "/TOY/v2/me"])
def test_a_path_that_only_begins_like_the_prefix_is_native(toy_app: Flask, path: str) -> None:
    answer = toy_app.test_client().get(path)
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
