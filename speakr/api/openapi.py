"""The OpenAPI document: that of flask-smorest, with relative paths and completed.

Paths are relative to `servers: /api/v1` (clients join the two), every operation names its scope, and
every operation lists the failures it can answer with.
"""

from __future__ import annotations

import functools
from typing import Any

from flask import Flask

from speakr.api import openapi_conventions, openapi_examples
from speakr.api.blueprint import Api
from speakr.web import families
from speakr.web.access import Access, access_of, handler_of

_BASE = "/api/v1"
_METHODS = ("get", "post", "put", "patch", "delete")

_ALWAYS = {
    "400": "The request is wrong; `errors` names the fields.",
    "401": "No token, or one that is not valid.",
    "403": "The token lacks the scope this needs.",
    "404": "The object does not exist, or the caller may not see it.",
    "429": "Too many requests in this minute; see Retry-After.",
    "500": "Something went wrong on the server.",
    "503": "A service that this needs is unavailable.",
}
_WRITES = {"409": "The present state does not allow this.", "413": "The body is too large."}
_WITH_BODY = {"415": "The content type is not supported."}
_FILES = {"multipart/form-data", "application/offset+octet-stream"}
_WITH_FILE = {"507": "The storage is full."}


@functools.lru_cache(maxsize=4)
def document(app: Flask) -> dict[str, Any]:
    """Return the OpenAPI document of an app."""
    real_app: Flask = app._get_current_object() if hasattr(app, "_get_current_object") else app  # noqa: SLF001
    api: Api = real_app.extensions["speakr-api"]
    spec: dict[str, Any] = api.describe()
    endpoints = _endpoints(real_app)
    paths: dict[str, Any] = {}
    for path, item in spec["paths"].items():
        for method in _METHODS:
            if method in item:
                handler = handler_of(endpoints[path], method.upper())
                _complete(item[method], method, access_of(endpoints[path], method.upper()))
                openapi_conventions.complete(item[method], method, handler)
        if path.startswith(f"{_BASE}/"):
            paths[path.removeprefix(_BASE)] = item
        else:
            paths[path] = {"servers": [{"url": "/"}], **item}
    spec["paths"] = paths
    _require(spec)
    _add_account_webhooks(spec)
    openapi_conventions.add_components(spec)
    openapi_examples.add(spec)
    return spec


def _require(spec: dict[str, Any]) -> None:
    """Mark fields as required that schemas let pass because a service has its own message for a missing one."""
    for shape in spec["components"]["schemas"].values():
        if shape.get("additionalProperties") is True:
            shape["additionalProperties"] = False  # a service refuses unknown names
        for name, field in shape.get("properties", {}).items():
            if not field.pop("x-nullable", True):
                field.pop("nullable", None)
            if _lift(field):
                shape["required"] = sorted({*shape.get("required", ()), name})
    for item in spec["paths"].values():
        for operation in item.values():
            for parameter in operation.get("parameters", ()) if isinstance(operation, dict) else ():
                if _lift(parameter.get("schema", {})):
                    parameter["required"] = True


def _add_account_webhooks(spec: dict[str, Any]) -> None:
    """Describe the preferences that API families add."""
    for name in families.account_webhooks():
        address = {
            "type": "string",
            "format": "uri",
            "maxLength": 500,
            "nullable": True,
            "description": "Address of an account webhook; null for none. Needs the scope `webhooks`.",
            "example": None,
        }
        for shape in ("PreferencesIn", "PreferencesOut"):
            spec["components"]["schemas"][shape]["properties"][name] = address


def _lift(field: dict[str, Any]) -> bool:
    is_required = bool(field.pop("x-required", False))
    if is_required:  # then it has no default, and null is no value
        field.pop("default", None)
        field.pop("nullable", None)
    return is_required


def _endpoints(app: Flask) -> dict[str, str]:
    """Map paths in OpenAPI's form to Flask endpoints."""
    found: dict[str, str] = {}
    for rule in app.url_map.iter_rules():
        path = "".join(
            f"{{{part.split(':')[-1]}}}" if inside else part for inside, part in _pieces(rule.rule)
        )
        found[path] = rule.endpoint
    return found


def _pieces(rule: str) -> list[tuple[bool, str]]:
    pieces: list[tuple[bool, str]] = []
    for chunk in rule.split("<"):
        inside, closed, rest = chunk.partition(">")
        pieces += [(True, inside), (False, rest)] if closed else [(False, chunk)]
    return pieces


def _complete(operation: dict[str, Any], method: str, access: Access | None) -> None:
    if access is None or access.is_public:
        operation["security"] = []
    else:
        schemes: list[dict[str, list[str]]] = [{"bearer": []}, {"apiToken": []}]
        if access.takes_password:
            schemes.append({"basic": []})
        operation["security"] = schemes
        if access.scope is not None:
            operation["x-scope"] = access.scope.value
            operation["description"] = (
                operation.get("description", "") + f"\n\nScope: `{access.scope}`"
            ).strip()
    responses = operation["responses"]
    responses.pop("default", None)
    failures = _ALWAYS if method == "get" else _ALWAYS | _WRITES
    bodies = operation.get("requestBody", {}).get("content", {})
    failures = failures | (_WITH_BODY if bodies else {})
    failures = failures | (_WITH_FILE if _FILES & set(bodies) else {})
    for status, text in failures.items():
        known = responses.get(status)
        if known is None or "content" not in known:
            responses[status] = {
                "description": text,
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorOut"}}},
            }
