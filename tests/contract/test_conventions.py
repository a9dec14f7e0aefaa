"""What holds for every address: credentials, errors, headers, pages, rate limits, and the API's own description."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from speakr.app import create_app
from speakr.backends import Backends
from speakr.db import db, unit_of_work
from speakr.domain.clock import now
from speakr.models import ApiToken
from speakr.services.system import stats
from tests.contract.library import Library
from tests.contract.operations import OPERATIONS
from tests.contract.shapes import ERROR, unlike
from tests.servers import RedisServer

STATS = "/api/v1/stats"


def check_shape(answer: Any, status: int, code: str) -> None:
    assert (answer.status_code, answer.mimetype) == (status, "application/json")
    assert unlike(ERROR, answer.json) == []
    assert (answer.json["code"], answer.json["request_id"]) == (code, answer.headers["X-Request-ID"])


# -- authentication


@pytest.mark.parametrize("header", ["Authorization", "X-API-Token", "API-Token", None])
def test_the_places_of_a_token(app: Flask, library: Library, header: str | None) -> None:
    token = library.people["alice"].token
    if header is None:
        answer = app.test_client().get(f"{STATS}?token={token}")
    else:
        value = f"Bearer {token}" if header == "Authorization" else token
        answer = app.test_client().get(STATS, headers={header: value})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic YWxpY2U6eA=="},
        {"X-API-Token": "wrong"},
        {"API-Token": ""},
    ],
)
def test_without_a_good_token(app: Flask, library: Library, headers: dict[str, str]) -> None:
    answer = app.test_client().get(STATS, headers=headers)
    check_shape(answer, 401, "invalid_token" if _presents(headers) else "not_authenticated")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="speakr"'


def _presents(headers: dict[str, str]) -> bool:
    return bool(headers) and not headers.get("Authorization", "Bearer").startswith("Basic")


def test_a_wrong_bearer_is_not_followed_by_a_second_look(app: Flask, library: Library) -> None:
    headers = {"Authorization": "Bearer wrong", "X-API-Token": library.people["alice"].token}
    assert app.test_client().get(STATS, headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("column", "code"), [("expires_at", "expired_token"), ("revoked_at", "invalid_token")]
)
def test_a_token_that_was_good_once(library: Library, column: str, code: str) -> None:
    made = library.make("POST", "/api/tokens", {"name": "Short"})
    with unit_of_work() as session:
        setattr(session.get_one(ApiToken, made["id"]), column, now())
    headers = {"Authorization": f"Bearer {made['token']}"}
    check_shape(library.people["alice"].client.get(STATS, headers=headers), 401, code)


def test_a_token_that_may_only_read(library: Library) -> None:
    made = library.make("POST", "/api/tokens", {"name": "Reader", "scopes": ["read"]})
    headers = {"Authorization": f"Bearer {made['token']}"}
    client = library.people["alice"].client
    assert client.get(STATS, headers=headers).status_code == 200
    check_shape(client.post("/api/v1/tags", json={"name": "x"}, headers=headers), 403, "scope_missing")


# -- what goes wrong


def test_an_unknown_address(library: Library) -> None:
    check_shape(library.ask("GET", "/nothing"), 404, "not_found")


@pytest.mark.parametrize("number", ["x", "-1", "1.5", "99999999999999999999"])
def test_an_id_that_is_none(library: Library, number: str) -> None:
    check_shape(library.ask("GET", f"/recordings/{number}"), 404, "not_found")


def test_a_method_that_an_address_does_not_take(library: Library) -> None:
    answer = library.ask("DELETE", "/stats")
    check_shape(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("body", [b"{", b"[1, 2", b"\xff", b'"text"', b"[]", b"null"])
def test_a_body_that_is_no_object(library: Library, body: bytes) -> None:
    answer = library.ask("POST", "/tags", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert unlike(ERROR, answer.json) == []


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
def test_a_body_of_another_type(library: Library, kind: str) -> None:
    check_shape(
        library.ask("POST", "/tags", data=b"name=x", content_type=kind), 415, "unsupported_media_type"
    )


def test_an_upload_that_is_no_form(library: Library) -> None:
    answer = library.ask("POST", "/recordings/upload", data=b"RIFF", content_type="audio/wav")
    check_shape(answer, 415, "unsupported_media_type")


def test_a_body_that_is_too_large(library: Library) -> None:
    body = json.dumps({"name": "x" * 9_000_000})
    answer = library.ask("POST", "/tags", data=body, content_type="application/json")
    check_shape(answer, 413, "too_large")


def test_a_crash_says_nothing_of_its_cause(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("/srv/speakr/secret")

    monkeypatch.setattr(stats, "_cached", crash)
    answer = library.ask("GET", "/stats")
    check_shape(answer, 500, "internal_error")
    assert "secret" not in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("PATCH", "/recordings/{recording}", {"is_inbox": "false"}, "is_inbox"),
        ("PATCH", "/recordings/{recording}", {"title": {}}, "title"),
        ("POST", "/tags", {"name": "x", "color": "red"}, "color"),
        ("POST", "/tags", {"name": "x", "default_min_speakers": "2"}, "default_min_speakers"),
        ("POST", "/folders", {"name": 5}, "name"),
        ("POST", "/webhooks", {"name": "x", "events": "all"}, "events"),
        ("POST", "/recordings/{recording}/transcribe", {"min_speakers": 0}, "min_speakers"),
        ("GET", "/recordings?inbox=perhaps", None, "inbox"),
    ],
)
def test_a_wrong_field_is_named(library: Library, method: str, path: str, body: Any, field: str) -> None:
    answer = library.ask(method, path, body)
    check_shape(answer, 400, "invalid")
    assert set(answer.json["errors"]) == {field}


# -- what all answers share


@pytest.mark.parametrize("path", ["/stats", "/recordings", "/nothing", "/recordings/{recording}/audio"])
def test_headers_of_all_answers(library: Library, path: str) -> None:
    headers = library.ask("GET", path).headers
    assert headers["X-Robots-Tag"].startswith("noindex")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Request-ID"]
    assert re.fullmatch(r"\d+\.\d\d", headers["X-Process-Time-Ms"])


def test_a_request_id_of_the_callers(library: Library) -> None:
    answer = library.ask("GET", "/nothing", headers={"X-Request-ID": "mine-1"})
    assert (answer.headers["X-Request-ID"], answer.json["request_id"]) == ("mine-1", "mine-1")


def test_json_that_did_not_change(library: Library) -> None:
    tag = library.ask("GET", "/tags").headers["ETag"]
    answer = library.ask("GET", "/tags", headers={"If-None-Match": tag})
    assert (answer.status_code, answer.data) == (304, b"")


# -- pages


def pages(library: Library, query: str) -> tuple[list[str], dict[str, Any], Any]:
    answer = library.ask("GET", f"/recordings?{query}")
    assert answer.status_code == 200
    return [item["title"] for item in answer.json["recordings"]], answer.json["pagination"], answer.headers


def place(page: int, per_page: int, total: int, total_pages: int, **has: bool) -> dict[str, Any]:
    known = {"page": page, "per_page": per_page, "total": total, "total_pages": total_pages}
    return known | {"has_next": has["more"], "has_prev": has["less"]}


@pytest.mark.parametrize(
    ("query", "count", "where"),
    [
        ("", 3, place(1, 25, 3, 1, more=False, less=False)),
        ("per_page=2", 2, place(1, 2, 3, 2, more=True, less=False)),
        ("per_page=2&page=2", 1, place(2, 2, 3, 2, more=False, less=True)),
        ("per_page=2&page=9", 0, place(9, 2, 3, 2, more=False, less=True)),
        ("per_page=1000", 3, place(1, 100, 3, 1, more=False, less=False)),
        ("status=failed", 0, place(1, 25, 0, 0, more=False, less=False)),
    ],
)
def test_pages(library: Library, query: str, count: int, where: dict[str, Any]) -> None:
    titles, fields, _ = pages(library, query)
    assert len(titles) == count
    assert {name: fields[name] for name in where} == where


def test_pages_are_linked(library: Library) -> None:
    _, _, headers = pages(library, "per_page=1&page=2")
    links = re.findall(r'<[^>]*[?&]page=(\d+)[^>]*>; rel="(\w+)"', headers["Link"])
    assert sorted(links) == [("1", "first"), ("1", "prev"), ("3", "last"), ("3", "next")]


def test_pages_go_on_where_the_one_before_ended(library: Library) -> None:
    ways = [
        pages(library, f"per_page=1&page={number}&sort_by=title&sort_order=asc")[0] for number in (1, 2, 3)
    ]
    whole, _, _ = pages(library, "sort_by=title&sort_order=asc")
    assert [title for titles in ways for title in titles] == whole


@pytest.mark.parametrize("query", ["status=bogus", "sort_by=bogus", "sort_order=bogus", "status=COMPLETED"])
def test_unknown_words_are_taken_as_documented(library: Library, query: str) -> None:
    titles, _, _ = pages(library, query)
    assert len(titles) == (1 if query == "status=COMPLETED" else 3)


def test_search_text_is_taken_as_it_is(library: Library) -> None:
    assert (pages(library, "q=%25")[0], pages(library, "q=_")[0]) == ([], [])
    assert pages(library, "q=%20WAITING%20")[0] == ["Waiting"]


# -- how often


@pytest.fixture(scope="module")
def counting(app: Flask, backends: Backends) -> Iterator[FlaskClient]:
    """A client of an app that counts."""
    counting = create_app(replace(backends.settings, rate_limits_enabled=True), backends)
    yield counting.test_client()
    with counting.app_context():
        db.engine.dispose()


@pytest.fixture
def counted(counting: FlaskClient, redis_process: RedisServer, library: Library) -> Callable[..., Any]:
    """Send the request as alice, who has sent none before."""
    redis_process.flush()
    headers = {"Authorization": f"Bearer {library.people['alice'].token}"}

    def ask(method: str, path: str, body: Any = None) -> Any:
        sent = {} if body is None else {"json": body}
        return counting.open(f"/api/v1{path}", method=method, headers=headers, buffered=True, **sent)

    return ask


@pytest.mark.parametrize(
    ("method", "path", "body", "limit"),
    [
        ("GET", "/stats", None, 60),
        ("GET", "/recordings", None, 100),
        ("PATCH", "/recordings/2000000000", {"title": "x"}, 30),
        ("DELETE", "/recordings/2000000000", None, 30),
        ("POST", "/recordings/2000000000/transcribe", {}, 10),
        ("POST", "/recordings/2000000000/summarize", {}, 10),
        ("POST", "/recordings/2000000000/chat", {"message": "x"}, 10),
        ("POST", "/recordings/2000000000/speakers/identify", None, 10),
        ("PATCH", "/recordings/batch", {"recording_ids": [1], "updates": {"is_inbox": True}}, 10),
        ("DELETE", "/recordings/batch", {"recording_ids": [2_000_000_000]}, 10),
        ("POST", "/recordings/batch/transcribe", {"recording_ids": [2_000_000_000]}, 10),
    ],
)
def test_the_documented_limits(counted: Any, method: str, path: str, body: Any, limit: int) -> None:
    headers = counted(method, path, body).headers
    for prefix in ("RateLimit", "X-RateLimit"):
        assert (headers[f"{prefix}-Limit"], headers[f"{prefix}-Remaining"]) == (str(limit), str(limit - 1))
        assert int(headers[f"{prefix}-Reset"]) > 0
    assert f"q={limit};w=60" in headers["RateLimit-Policy"]
    assert f"r={limit - 1};" in headers["RateLimit"]


def test_one_request_too_many(counted: Any) -> None:
    answers = [counted("POST", "/recordings/2000000000/transcribe", {}) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [404] * 10 + [429]
    check_shape(answers[-1], 429, "rate_limited")
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert counted("GET", "/stats").status_code == 200


# -- the API's own description


def test_the_description_has_every_documented_operation(app: Flask, library: Library) -> None:
    answer = app.test_client().get("/api/v1/openapi.json")
    assert (answer.status_code, answer.json["openapi"][:4]) == (200, "3.0.")
    described = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path))
        for path, item in answer.json["paths"].items()
        for method in item
    }
    assert [operation for operation in OPERATIONS if operation not in described] == []


def test_the_description_can_be_read_in_a_browser_without_the_internet(app: Flask, library: Library) -> None:
    page = app.test_client().get("/api/v1/docs")
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert "//" not in re.sub(r"<!--.*?-->", "", "".join(re.findall(r'(?:src|href)="([^"]*)"', page.text)))


def test_every_documented_operation_is_there(library: Library) -> None:
    for method, path in OPERATIONS:
        asked = path.replace("{}", "2000000000")
        answer = library.ask(method, asked)
        assert answer.status_code not in {405, 500}, (method, path)
        fields = answer.json["error"] if answer.is_json and "error" in (answer.json or {}) else ""
        assert fields != "There is nothing at this address.", (method, path)


def test_the_calls_of_the_documented_client(library: Library) -> None:
    assert library.make("GET", "/stats")["recordings"]["total"] == 3
    assert len(library.make("GET", "/recordings?status=all&page=1")["recordings"]) == 3
    content = library.make("GET", "/recordings/{recording}/transcript?format=text")["content"]
    assert content.startswith("[SPEAKER_00]")
