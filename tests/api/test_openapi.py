"""The OpenAPI document is complete and consistent; `tests/fuzz` compares it with the server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from openapi_schema_validator import OAS30ReadValidator, OAS30WriteValidator
from openapi_spec_validator import validate

from speakr.api.openapi import document
from speakr.domain.permissions import Scope
from speakr.web.access import Access, access_of

pytestmark = pytest.mark.on_sqlite

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture
def spec(app: Flask) -> dict[str, Any]:
    return document(app)


def operations(spec: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in spec["paths"].items():
        for method in METHODS & set(item):
            yield path, method, item[method]


def test_a_validator_accepts_it(spec: dict[str, Any]) -> None:
    validate(spec)


def test_every_routed_operation_is_described_under_a_name_of_its_own(
    app: Flask, spec: dict[str, Any]
) -> None:
    described = {
        (method, path if path.startswith("/api/") else f"/api/v1{path}")
        for path, method, _ in operations(spec)
    }
    routed = {
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        and rule.endpoint.partition(".")[0]
        not in {"system", "native_openapi", "native_docs", "email_verification_page"}
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert described == routed
    names = [operation["operationId"] for _, _, operation in operations(spec)]
    assert len(names) == len(set(names))
    assert all(name.isidentifier() for name in names)


def test_every_operation_names_the_scope_it_needs(app: Flask, spec: dict[str, Any]) -> None:
    endpoints = {
        re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule): rule.endpoint for rule in app.url_map.iter_rules()
    }
    for path, method, operation in operations(spec):
        full = path if path.startswith("/api/") else f"/api/v1{path}"
        access = access_of(endpoints[full], method.upper())
        assert isinstance(access, Access), path
        assert operation.get("x-scope") == access.scope
        if access.scope is not None:
            assert Scope(operation["x-scope"])
            assert f"Scope: `{access.scope}`" in operation["description"]
            assert {"bearer": []} in operation["security"]


def test_every_operation_says_what_it_does_and_where_it_belongs(spec: dict[str, Any]) -> None:
    for path, method, operation in operations(spec):
        assert operation["summary"], (method, path)
        assert len(operation["tags"]) == 1


def test_bodies_and_only_they_may_have_a_wrong_type(spec: dict[str, Any]) -> None:
    for path, method, operation in operations(spec):
        has_body = "requestBody" in operation
        has_file = path in {"/recordings/upload", "/transcriptions"} or operation["operationId"] in {
            "createUpload",
            "continueUpload",
        }
        assert ("415" in operation["responses"]) == has_body, (method, path)
        assert ("507" in operation["responses"]) == has_file, (method, path)


def test_every_json_body_has_a_schema_and_an_example_that_follows_it(spec: dict[str, Any]) -> None:
    checked = 0
    for _, _, operation in operations(spec):
        bodies = [(OAS30WriteValidator, operation.get("requestBody", {}))]
        bodies += [(OAS30ReadValidator, response) for response in operation["responses"].values()]
        for validator, body in bodies:
            for kind in {"application/json", "multipart/form-data"} & set(body.get("content", {})):
                medium = body["content"][kind]
                schema = {"allOf": [medium["schema"]], "components": spec["components"]}
                wrong = [error.message for error in validator(schema).iter_errors(medium["example"])]
                assert not wrong, (operation["operationId"], medium["example"])
                checked += 1
    assert checked > 700


def test_every_success_says_what_comes(spec: dict[str, Any]) -> None:
    for _, _, operation in operations(spec):
        (success, *_) = sorted(status for status in operation["responses"] if status.startswith("2"))
        content = operation["responses"][success].get("content", {})
        assert (success == "204") == (not content), operation["operationId"]
        for medium in content.values():
            assert medium["schema"]


def test_it_is_the_same_however_often_it_is_made(app: Flask) -> None:
    first = document(app)
    document.cache_clear()
    assert document(app) == first
