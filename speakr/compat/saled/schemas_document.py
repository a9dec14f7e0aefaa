"""The OpenAPI document, made from the routes and the schemas of their bodies."""

from __future__ import annotations

import re
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask

from speakr import __version__
from speakr.web.access import access_of, handler_of

_PARAMETER = re.compile(r"<([a-z_]+)>")
_ENDPOINTS = "saled_saled."


def build(app: Flask) -> dict[str, Any]:
    """Return the document. A view names the schema of its body in `body`."""
    plugin = MarshmallowPlugin()
    spec = APISpec("Saled transcription API", __version__, "3.0.3", plugins=[plugin])
    spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    for rule in sorted(app.url_map.iter_rules(), key=lambda each: each.rule):
        if not rule.endpoint.startswith(_ENDPOINTS) or rule.websocket:
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            operation = _operation(rule.endpoint, method, _PARAMETER.findall(rule.rule))
            spec.path(_PARAMETER.sub(r"{\1}", rule.rule), operations={method.lower(): operation})
    return dict(spec.to_dict())


def _operation(endpoint: str, method: str, names: list[str]) -> dict[str, Any]:
    view = handler_of(endpoint, method)
    access = access_of(endpoint, method)
    operation: dict[str, Any] = {
        "operationId": endpoint.removeprefix(_ENDPOINTS),
        "summary": (view.__doc__ or "").partition("\n")[0],
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ],
        "responses": {"200": {"description": "OK"}, "400": {"description": "`{detail}`"}},
        # Also without a token, where the server has an owner for such requests.
        "security": [] if access is None or access.is_public else [{"bearer": []}, {}],
    }
    schema, kind = getattr(view, "body", None), getattr(view, "body_type", "application/json")
    if schema is not None:
        operation["requestBody"] = {"required": True, "content": {kind: {"schema": schema}}}
    return operation
