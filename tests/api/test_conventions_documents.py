"""The conventions in the OpenAPI document, and that unknown fields do no harm."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from marshmallow import EXCLUDE, Schema

from speakr.api.openapi import document
from speakr.api.schemas import fields
from tests.conftest import Person

pytestmark = pytest.mark.on_sqlite

METHODS = {"get", "post", "put", "patch", "delete"}
MAKES_OR_QUEUES = {
    "uploadRecording",
    "mergeRecordings",
    "cutRecording",
    "transcribeRecording",
    "summarizeRecording",
    "extractInsights",
    "retryJob",
    "createWebhook",
    "rotateWebhookSecret",
    "testWebhook",
    "replayDelivery",
    "createToken",
    "createTokenOutside",
}
SAFE_TO_REPEAT = {
    "cancelJob": "what is cancelled stays cancelled",
    "createUpload": "an upload that was opened twice expires once",
    "login": "a session that was opened twice expires once",
    "logout": "an ended session stays ended",
    "refreshTokens": "a token in a body works once, by intent; a cookie gives the same pair for ten seconds",
    "register": "the second time, the name is taken",
    "transcribeFile": "nothing is kept; sent again, the minutes count again",
}
"""POST operations without a key -> why."""
TELLS_UNKNOWN = {"_Named": "system settings: a misspelt name is refused, because nothing would change"}
GUARDED = {"updateRecording", "replaceNotes", "replaceSummary"}


@pytest.fixture
def operations(app: Flask) -> dict[str, Any]:
    return {
        operation["operationId"]: operation
        for item in document(app)["paths"].values()
        for method, operation in item.items()
        if method in METHODS
    }


def headers_taken(operation: dict[str, Any]) -> set[str]:
    return {
        parameter["$ref"].rpartition("/")[2]
        for parameter in operation.get("parameters", ())
        if "$ref" in parameter
    }


def test_operations_that_support_a_key_document_it(operations: dict[str, Any]) -> None:
    described = {
        name for name, operation in operations.items() if "IdempotencyKey" in headers_taken(operation)
    }
    assert described >= MAKES_OR_QUEUES
    for name in described:
        operation = operations[name]
        (success,) = [status for status in operation["responses"] if status.startswith("2")]
        assert "Idempotency-Replayed" in operation["responses"][success]["headers"], name
        assert {"400", "409"} <= set(operation["responses"])


def test_every_post_supports_a_key_or_is_safe_to_repeat(app: Flask) -> None:
    """A POST that creates or queues something needs `@idempotent`; see CONTRIBUTING.md."""
    posts = {
        operation["post"]["operationId"]: headers_taken(operation["post"])
        for operation in document(app)["paths"].values()
        if "post" in operation
    }
    without = {name for name, taken in posts.items() if "IdempotencyKey" not in taken}
    assert without == set(SAFE_TO_REPEAT)


def test_operations_that_support_a_version_document_it(operations: dict[str, Any]) -> None:
    described = {name for name, operation in operations.items() if "IfMatch" in headers_taken(operation)}
    assert described >= GUARDED
    assert {name for name, operation in operations.items() if "412" in operation["responses"]} == described


def test_every_json_answer_to_get_has_a_tag(operations: dict[str, Any], alice: Person) -> None:
    described = {name for name, operation in operations.items() if "IfNoneMatch" in headers_taken(operation)}
    assert {"listRecordings", "getRecording", "getNotes", "getStats", "getCurrentUser"} <= described
    assert "watchRecording" not in described
    for name in described:
        responses = operations[name]["responses"]
        assert "304" in responses
        assert "ETag" in responses["200"]["headers"], name


def test_every_429_names_its_headers(operations: dict[str, Any]) -> None:
    for name, operation in operations.items():
        assert set(operation["responses"]["429"]["headers"]) == {
            "Retry-After",
            "RateLimit",
            "RateLimit-Policy",
        }, name


def test_everything_referred_to_is_there(app: Flask) -> None:
    spec = document(app)
    names: set[str] = set()

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                names.add(node["$ref"])
            for inner in node.values():
                walk(inner)
        elif isinstance(node, list):
            for inner in node:
                walk(inner)

    walk(spec)
    for name in names:
        _, *path = name.split("/")
        found: Any = spec
        for part in path:
            found = found[part]
        assert found


# -- unknown fields


def test_every_shape_that_comes_in_ignores_what_it_does_not_know(app: Flask) -> None:
    def every(kind: type[Schema]) -> list[type[Schema]]:
        return [kind, *(found for child in kind.__subclasses__() for found in every(child))]

    ours = [kind for kind in every(Schema) if kind.__module__.startswith("speakr.")]
    assert len(ours) > 20
    assert {kind.__name__ for kind in ours if not issubclass(kind, fields.Wire)} == set()
    assert {kind.__name__ for kind in ours if kind().unknown != EXCLUDE} == set(TELLS_UNKNOWN)


def test_bodies_with_more_than_we_know(alice: Person, upload) -> None:
    more = {"note": "x", "prompt": "y", "description": {"deep": [1]}, "tags": ["z"]}
    made = upload(alice, description="x", deep="y").json["id"]
    base = f"/api/v1/recordings/{made}"
    assert alice.patch(base, json={"title": "New", **more}).status_code == 200
    assert alice.put(f"{base}/notes", json={"notes": "n", **more}).status_code == 200
    assert alice.post("/api/v1/tokens", json={"name": "t", **more}).status_code == 201
    assert alice.get("/api/v1/recordings?unheard=of").status_code == 200
