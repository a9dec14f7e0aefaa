"""docs/api agrees with the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest
from flask import Flask

from speakr.api.openapi import document
from speakr.api.schemas.filing import FilingIn
from speakr.api.schemas.recordings import RecordingListQuery
from speakr.api.schemas.upload_form import UploadForm
from speakr.api.schemas.webhooks import WebhookOptionsIn
from speakr.domain.jobs import JobKind, JobState
from speakr.domain.notices import NoticeKind
from speakr.domain.permissions import Scope
from speakr.domain.recordings import RecordingStatus
from speakr.services.system import system_settings
from speakr.settings import Settings
from speakr.web.access import access_of
from speakr.web.rate_limits import limits_of
from tests.conftest import SECRET
from tests.docs.pages import DOCS, ROOT, blocks, in_backticks, read, table, tables
from tests.support.native import native_rules

METHODS = {"get", "post", "put", "patch", "delete"}
UNDOCUMENTED_FORM_FIELDS = {"tag_ids[0]", "tag_ids[1]"}
"""Spellings that OpenAPI cannot name one by one."""


@pytest.fixture(scope="module")
def page() -> str:
    return read("api")


@cache
def endpoints_on_the_page() -> dict[str, tuple[str, str]]:
    """Return `METHOD /path` -> (scope, rate class) from all endpoint tables."""
    return {
        in_backticks(row[0])[0]: (row[1], row[2])
        for found in tables(read("api"))
        if found.head[0] == "endpoint"
        for row in found.rows
    }


def operations(app: Flask) -> dict[str, dict]:
    return {
        f"{method.upper()} {path}": operation
        for path, item in document(app)["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def as_on_the_page(rule: str) -> str:
    """`/api/v1/jobs/<id:job_id>` as `/jobs/{job_id}`."""
    return re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", rule).removeprefix("/api/v1")


def test_every_endpoint_is_on_the_page_and_the_other_way_round(app: Flask, page: str) -> None:
    inside = {name for name in operations(app) if " /api/" not in name}
    assert set(endpoints_on_the_page()) == inside
    outside = {name.replace(" /api/", " /") for name in operations(app) if " /api/" in name}
    assert outside == {name for name in inside if " /tokens" in name}
    assert "The same four are at `/api/tokens`" in page
    assert len(outside) == 4


def test_scopes_and_rate_classes_of_endpoints(app: Flask) -> None:
    rules = {
        f"{method} {as_on_the_page(rule.rule)}": rule.endpoint
        for rule in native_rules(app)
        for method in rule.methods or ()
    }
    declared = {}
    for name in endpoints_on_the_page():
        access = access_of(rules[name], name.split()[0])
        assert access is not None
        if access.is_public:  # its view counts, so the page alone names the class
            declared[name] = ("none", endpoints_on_the_page()[name][1])
            continue
        assert access.scope is not None
        assert access.rate is not None
        declared[name] = (access.scope.value, access.rate.value)
    assert endpoints_on_the_page() == declared


def test_everything_a_request_may_say_is_on_a_page(app: Flask) -> None:
    spec = document(app)
    # Pages on families of other products name the preferences that these add.
    pages = read("api") + read("webhooks") + "".join(page.read_text() for page in DOCS.glob("compat/*.md"))
    code = [each for line in pages.splitlines() for each in in_backticks(line)]
    code += [block.text for block in blocks(pages)]
    printed = {word for each in code for word in re.findall(r"\w+(?:\[\d\])?", each)}
    said = {(name, word) for name, operation in operations(app).items() for word in said_in(operation, spec)}
    assert len(said) > 200
    assert {(name, word) for name, word in said if word not in printed} == set()


def said_in(operation: dict, spec: dict) -> Iterator[str]:
    """Yield the names of query parameters and of fields of the body."""
    yield from (each["name"] for each in operation.get("parameters", ()) if each.get("in") == "query")
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield from fields_in(content["schema"], spec)


def fields_in(schema: dict, spec: dict) -> Iterator[str]:
    while "$ref" in schema:
        schema = spec["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for inner in (*schema.get("allOf", ()), *([schema["items"]] if "items" in schema else ())):
        yield from fields_in(inner, spec)
    for name, inner in schema.get("properties", {}).items():
        yield name
        yield from fields_in(inner, spec)


def test_options_of_webhooks() -> None:
    assert set(table(read("webhooks"), "option").codes()) == set(WebhookOptionsIn().fields)


def test_defaults_of_tags_and_folders(page: str) -> None:
    assert set(table(page, "default").codes()) == set(FilingIn().fields)


def test_kinds_of_notices() -> None:
    (sentence,) = [line for line in read("api/events.md").splitlines() if line.startswith("`kind` is")]
    assert set(in_backticks(sentence)) >= {kind.value for kind in NoticeKind}


def test_what_needs_no_token_is_on_the_page(app: Flask, page: str) -> None:
    public = {
        f"GET {rule.rule}".removesuffix("/")
        for rule in native_rules(app)
        if (access := access_of(rule.endpoint, "GET")) is not None and access.is_public and not rule.arguments
    }
    assert set(table(page, "address").codes()) == public


def test_scopes(page: str) -> None:
    assert table(page, "scope").codes() == [scope.value for scope in Scope]


def test_rate_classes(page: str) -> None:
    printed = {in_backticks(row[0])[0]: int(row[1]) for row in table(page, "class").rows}
    assert printed == limits_of(Settings(secret_key=SECRET))


def test_upload_fields(page: str) -> None:
    assert set(table(page, "field").codes()) - UNDOCUMENTED_FORM_FIELDS == set(UploadForm().fields)


def test_list_parameters(page: str) -> None:
    assert set(table(page, "list parameter").codes()) == set(RecordingListQuery().fields)


def test_settings_of_administrators(page: str) -> None:
    assert set(table(page, "setting").codes()) == set(system_settings.KNOWN)


def test_statuses_and_jobs(page: str) -> None:
    assert table(page, "status").codes() == [status.value for status in RecordingStatus]
    (sentence,) = [line for line in read("api/jobs.md").splitlines() if line.startswith("`kind` is")]
    words = in_backticks(sentence)
    kinds, states = words[1:], words[words.index("state") + 1 :]
    assert kinds[: len(JobKind)] == [kind.value for kind in JobKind]
    assert states[: len(JobState)] == [state.value for state in JobState]


def test_live_events(page: str) -> None:
    printed = set()
    for path in (ROOT / "speakr").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if name.endswith("live.publish"):
                printed.add(ast.literal_eval(node.args[1]))
            elif name in {"_message", "Event"} and node.args and isinstance(node.args[0], ast.Constant):
                printed.add(node.args[0].value)
    # A beat is written as a comment.
    assert set(table(page, "event").codes()) == printed - {"beat"}
