"""Bodies of JSON are bounded before they are validated, and answers to bad ones are short."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from marshmallow import Schema, ValidationError, fields, validate
from werkzeug.exceptions import BadRequest

from speakr.domain.permissions import Scope
from speakr.web import bounds
from speakr.web.body import _view
from speakr.web.bounds import MAX_BODY_BYTES, MIN_BODY_BYTES
from speakr.web.wire import Wire
from tests.conftest import Person

MIB = 1024 * 1024
SMALL_BYTES = 256 * 1024
"""In a body of this size, a text without a limit of its own is harmless."""


@pytest.fixture(params=["sqlite"])
def database_url(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue("sqlite_url")


def json_schemas(app: Flask) -> dict[str, Schema]:
    """Return the schema of each operation's JSON body."""
    found = {}
    for rule in app.url_map.iter_rules():
        view_class = getattr(app.view_functions[rule.endpoint], "view_class", None)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            view = getattr(view_class, method.lower(), None)
            for argument in getattr(view, "_apidoc", {}).get("arguments", {}).get("parameters", ()):
                if argument["in"] == "json":
                    found[f"{method} {rule.rule}"] = argument["schema"]
    return found


def unbounded(schema: Schema, path: str, *, texts: bool) -> Iterator[str]:
    """Yield the lists, objects and texts of a schema that have no greatest length."""
    for name, field in schema.load_fields.items():
        yield from _unbounded(field, f"{path}.{name}", texts=texts)


def _unbounded(field: Any, path: str, *, texts: bool) -> Iterator[str]:
    said = {"maxLength", "maxProperties"} & field.metadata.keys()
    has_limit = bounds.max_length(field) is not None or bool(said)
    match field:
        case fields.Nested():
            if field.many and not has_limit:
                yield path
            yield from unbounded(field.schema, path, texts=texts)
        case fields.List():
            if bounds.max_length(field) is None:
                yield path
            yield from _unbounded(field.inner, f"{path}[]", texts=texts)
        case fields.Dict():
            if not has_limit:
                yield path
        case fields.String():
            is_word = any(isinstance(each, validate.OneOf) for each in field.validators)
            if texts and not has_limit and not is_word:
                yield path
        case _ if texts and type(field) is fields.Raw and not has_limit:
            yield path


def test_every_schema_of_a_body_is_bounded(app: Flask) -> None:
    schemas = json_schemas(app)
    assert len(schemas) > 40
    found = {
        operation: list(unbounded(schema, "", texts=bounds.of(schema).max_bytes > SMALL_BYTES))
        for operation, schema in schemas.items()
    }
    assert {operation: paths for operation, paths in found.items() if paths} == {}


def test_most_bodies_have_the_small_limit(app: Flask) -> None:
    limits = [bounds.of(schema).max_bytes for schema in json_schemas(app).values()]
    assert sum(limit == MIN_BODY_BYTES for limit in limits) > len(limits) / 2
    assert max(limits) <= MAX_BODY_BYTES


def test_operations_without_a_body_have_the_small_limit(alice: Person) -> None:
    answer = alice.delete("/api/v1/recordings/1", data=b" " * (MIN_BODY_BYTES + 1))
    assert answer.status_code in {404, 413}
    refused = alice.post("/api/v1/tokens", data=b" " * (MIN_BODY_BYTES + 1))
    assert (refused.status_code, refused.json["code"]) == (413, "too_large")


def test_the_limit_survives_outer_decorators(app: Flask) -> None:
    with app.test_request_context("/api/v1/recordings/batch", method="PATCH"):
        assert _view().max_body_bytes > MIN_BODY_BYTES


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("patch", "/recordings/batch", b'{"recording_ids":[' + b'"x",' * MIB + b'"x"],"updates":{}}', 413),
        ("patch", "/recordings/batch", b'{"recording_ids":[' + b"0," * 40_000 + b'0],"updates":{}}', 400),
        ("post", "/tokens", b'{"scopes":[' + b'"x",' * MIB + b'"x"]}', 413),
        ("post", "/tokens", b'{"scopes":[' + b'"x",' * 10_000 + b'"x"]}', 400),
        ("post", "/chat", b'{"message":"x","conversation_history":[' + b"{}," * 2 * MIB + b"{}]}", 400),
        ("post", "/chat", b'{"message":"x","conversation_history":[' + b"{}," * 10_000 + b"{}]}", 400),
        ("post", "/chat", b'{"message":"x",' + b'"a":0,' * MIB + b'"b":0}', 400),
        ("post", "/chat", b'{"message":"x","tag":' + b"[" * 4 * MIB + b"]" * 3 * MIB + b"}", 400),
        ("patch", "/recordings/1", b'{"notes":' + b"[" * 30_000 + b"]" * 30_000 + b"}", 400),
        ("patch", "/recordings/1", b'{"notes":"' + b"\\\\" * 3 * MIB + b'"}', 400),
        ("post", "/webhooks", b'{"name":"x","events":[' + b'"x",' * 10_000 + b'"x"]}', 400),
        ("put", "/recordings/1/transcript", b'{"segments":[' + b"{}," * 2 * MIB + b"{}]}", 400),
    ],
    ids=lambda value: (
        value if isinstance(value, str) else f"{len(value)}B" if isinstance(value, bytes) else None
    ),
)
def test_a_large_body_is_refused_quickly_and_briefly(
    alice: Person, method: str, path: str, body: bytes, status: int
) -> None:
    began = time.thread_time()
    refused = getattr(alice, method)(
        f"/api/v1{path}", data=body, headers={"Content-Type": "application/json"}
    )
    spent = time.thread_time() - began
    assert refused.status_code == status, refused.text[:300]
    assert len(refused.data) < 4_000
    assert spent < 1.0, "validating each element takes a minute"


def test_messages_are_capped_and_do_not_repeat_the_input(make_person: Any) -> None:
    carol = make_person("carol", scopes=frozenset(Scope))
    ids = ["secret-word"] * 500
    refused = carol.patch("/api/v1/recordings/batch", json={"recording_ids": ids, "updates": {}})
    assert refused.status_code == 400
    assert sum(map(len, refused.json["errors"].values())) <= 20
    assert "secret-word" not in refused.text


class _Inner(Wire):
    name = fields.String(validate=validate.Length(max=3))


class _Outer(Wire):
    items = fields.List(fields.Nested(_Inner), validate=validate.Length(max=2))
    text = fields.String(validate=validate.Length(max=5))


def test_lengths_are_checked_at_all_depths() -> None:
    bounds.check({"items": [{"name": "abc"}], "text": "abcde"}, _Outer())
    bounds.check({"items": "no list", "text": None}, _Outer())
    for value, path in (
        ({"items": [{}, {}, {}]}, ["items"]),
        ({"text": "abcdef"}, ["text"]),
        ({"items": [{}, {"name": "abcd"}]}, ["items", 1, "name"]),
    ):
        with pytest.raises(ValidationError) as caught:
            bounds.check(value, _Outer())
        messages: Any = caught.value.messages
        for name in path:
            messages = messages[name]
        assert messages == [
            f"Longer than maximum length {2 if path == ['items'] else 5 if path == ['text'] else 3}."
        ]


def test_values_are_counted_without_parsing() -> None:
    limits = bounds.Bounds(max_bytes=MIB, max_values=100)
    limits.check_text(b'{"text":"' + b'\\",' * 100_000 + b'"}')
    limits.check_text(b'{"text":"' + b"[,]{}" * 100_000 + b'"}')
    for body in (b"[" + b"0," * 100_000 + b"0]", b"[" + b'"",' * 100_000 + b'""]'):
        with pytest.raises(BadRequest):
            limits.check_text(body)
