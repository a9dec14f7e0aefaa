"""Hostile headers, credentials, addresses and batches: input that OpenAPI has no fields for."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.conftest import Person
from tests.matrix.world import everything_stored

Upload = Callable[..., Any]

SHAPE = {"error", "code", "request_id"}

# -- headers

HEADERS = {
    "If-Match": ('"', "W/", '"a", "', "\xff\xfe", ",,,", "x" * 9_000),
    "If-None-Match": ('"', "W/", "\xff\xfe", ",,,", "*,*", "x" * 9_000),
    "Range": (
        *("bytes=", "bytes=-", "bytes=5-1", "bytes=0-9" * 500, "lines=1-2", "bytes=\xb2-"),
        "bytes=" + "9" * 5_000 + "-",
    ),
    "If-Range": ('"', "x", "Thu, 99 Foo 2024 99:99:99 GMT", "\xff"),
    "If-Modified-Since": ("x", "Thu, 99 Foo 2024 99:99:99 GMT", "9" * 5_000),
    "Accept": ("", "*", "/", "text/plain;q=x", "\xff", "a/b," * 2_000, "*/*;q=1e400"),
    "Accept-Language": ("\xff", "de;q=nan", "x" * 9_000),
    "Last-Event-ID": ("x", "-1", "9" * 5_000, "1-1-1", "\xff", "\xb2-0"),
    "X-Request-ID": ("<script>", "x" * 9_000, "a b", "\xff"),
    "Origin": ("null", "http://[::1", "\xff", "http://" + "a" * 9_000),
    "Cookie": ("\xff=\xfe", "a" * 9_000, ";;;=;"),
}


def test_headers(alice: Person, upload: Upload) -> None:
    one = f"/api/v1/recordings/{upload(alice).json['id']}"
    problems = []
    for name, values in HEADERS.items():
        for value in values:
            answers = [alice.get(path, headers={name: value}) for path in (one, f"{one}/audio", "/nothing")]
            answers.append(alice.put(f"{one}/notes", json={"notes": "x"}, headers={name: value}))
            problems += [(name, value[:40]) for answer in answers if answer.status_code >= 500]
            problems += [(name, value[:40]) for answer in answers if "<script>" in str(answer.headers)]
    assert problems == []


def test_an_invalid_request_id_is_replaced(alice: Person) -> None:
    for value in ("<script>", "x" * 65, "a b", "a\tb"):
        answer = alice.get("/api/v1/nothing", headers={"X-Request-ID": value})
        assert answer.headers["X-Request-ID"] == answer.json["request_id"] != value


def test_idempotency_keys(app: Flask, alice: Person) -> None:
    before = everything_stored(app)
    for key in ("", " ", "x" * 256, "\xff", "a\tb"):
        answer = alice.post("/api/v1/tags", json={"name": "x"}, headers={"Idempotency-Key": key})
        assert (answer.status_code, set(answer.json) - {"errors"}) == (400, SHAPE), key
    assert everything_stored(app) == before


# -- credentials

CREDENTIALS = (
    *(
        "Bearer",
        "Bearer ",
        "Bearer \xff",
        "Bearer " + "x" * 9_000,
        "Basic",
        "Basic !!!",
        "Basic " + "A" * 9_000,
    ),
    *("Digest x", "\xff", ""),
    *(
        "Basic " + base64.b64encode(text).decode()
        for text in (
            b"",
            b":",
            b"alice",
            b"\x00:\x00",
            b"alice:\x00",
            b"\xff:x",
            b"x" * 5_000 + b":" + b"y" * 5_000,
        )
    ),
)


def test_credentials(app: Flask, alice: Person) -> None:
    before = everything_stored(app)
    anonymous = app.test_client()
    for header in CREDENTIALS:
        for path in ("/api/v1/tokens", "/api/v1/tags"):
            answer = anonymous.post(path, json={"name": "x"}, headers={"Authorization": header})
            assert (answer.status_code, set(answer.json)) == (401, SHAPE), (path, header[:40])
    for token in ("%00", "%ff", "", "x" * 9_000, "%ED%A0%80"):
        assert anonymous.get(f"/api/v1/stats?token={token}").status_code == 401
        for name in ("X-API-Token", "API-Token"):
            assert anonymous.get("/api/v1/stats", headers={name: token}).status_code == 401
    assert everything_stored(app) == before


# -- addresses and methods


def test_addresses_that_lead_nowhere(alice: Person) -> None:
    for path in (
        *(
            "/%00",
            "/%ff",
            "/api/v1/%00",
            "//etc/passwd",
            "/" + "a/" * 3_000,
            "/api/v1/recordings/" + "1" * 5_000,
        ),
        *("/api/v1/docs/..%2f..%2fetc/passwd", "/api/v1/docs/%2e%2e/%2e%2e/app.py", "/api/v1/docs/%00"),
    ):
        answer = alice.get(path)
        assert (answer.status_code, set(answer.json)) == (404, SHAPE), path[:60]
    for method in ("TRACE", "CONNECT", "PROPFIND", "x" * 500):
        answer = alice.open("/api/v1/tags", method=method)
        assert (answer.status_code, set(answer.json)) == (405, SHAPE), method[:20]


def test_a_key_given_twice_counts_as_the_last(alice: Person) -> None:
    body = b'{"name": 5, "name": ["x"], "name": "the last"}'
    made = alice.post("/api/v1/tags", data=body, content_type="application/json")
    assert (made.status_code, made.json["name"]) == (201, "the last")


# -- many at once

NO_IDS = (
    [],
    list(range(1, 5_002)),
    [1] * 5_001,
    [0],
    [-1],
    [2**63],
    ["1"],
    [[1]],
    [None],
    [True],
    {"0": 1},
    None,
)


@pytest.mark.parametrize("method", ["patch", "delete", "post"])
def test_batches(app: Flask, alice: Person, upload: Upload, method: str) -> None:
    upload(alice)
    path = "/api/v1/recordings/batch" + ("/transcribe" if method == "post" else "")
    before = everything_stored(app)
    for ids in NO_IDS:
        form = {"recording_ids": ids, "updates": {"is_inbox": False}}
        answer = getattr(alice, method)(path, json=form)
        named = {name.split(".")[0] for name in answer.json.get("errors", ())}
        assert (answer.status_code, named) == (400, {"recording_ids"}), str(ids)[:40]
        assert len(answer.data) < 20_000
    assert everything_stored(app) == before


# -- webhooks

NO_HEADERS = (
    *({"X-A": "a\r\nX-B: b"}, {"X-A\r\nX-B": "b"}, {"X-A": "\x00"}, {"X A": "b"}, {"": "b"}, {"Host": "b"}),
    *(
        {"Content-Length": "0"},
        {"X-A": ["b"]},
        {"X-A": "b", "x-a": "c"},
        {"X-A": "b" * 5_000},
        {"X-A": {"b": 1}},
    ),
    *({f"X-{number}": "b" for number in range(100)}, ["X-A: b"], "X-A: b"),
)


def test_headers_that_webhooks_shall_send(app: Flask, alice: Person) -> None:
    before = everything_stored(app)
    form = {"name": "n", "url": "https://93.184.216.34/hook", "events": ["recording.created"]}
    for headers in NO_HEADERS:
        answer = alice.post("/api/v1/webhooks", json={**form, "headers": headers})
        named = {name.split(".")[0] for name in answer.json.get("errors", ())}
        assert (answer.status_code, named) == (400, {"headers"}), str(headers)[:40]
        assert len(answer.data) < 20_000
    assert everything_stored(app) == before


def test_not_all_unknown_events_are_echoed(alice: Person) -> None:
    form = {"name": "n", "url": "https://93.184.216.34/hook"}
    answer = alice.post("/api/v1/webhooks", json={**form, "events": ["x" * 20_000, *map(str, range(90))]})
    assert (answer.status_code, list(answer.json["errors"])) == (400, ["events"])
    assert len(answer.data) < 20_000
