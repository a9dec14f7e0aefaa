"""The OpenAPI document of an API family, and the pages that show it (Swagger UI, Redoc)."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, request, send_file
from flask_swagger_ui import get_swaggerui_blueprint

from speakr.domain.errors import NotFound
from speakr.offload import run_cpu
from speakr.web.access import public
from speakr.web.json import json_response

_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
_POLICY = (
    "default-src 'none'; script-src 'self'{hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""Swagger UI sets styles inline. Its one inline script is allowed by its hash (CSP level 3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """The documents of an API; both addresses are below the family's prefix and need no credential."""

    build: Callable[[Flask], dict[str, Any]]
    """Returns the OpenAPI document of an app."""
    path: str = "/openapi.json"
    page: str | None = "/docs"
    """Path of Swagger UI; None serves none."""
    redoc: str | None = None
    """Path of Redoc; None serves none."""


_REDOC_PACKAGE, _REDOC_SCRIPT = "flask_openapi_redoc", "templates/redoc/js/redoc.standalone.js"
_REDOC_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>API</title><body style="margin:0">'
    '<redoc spec-url="{document}" disable-search="true"></redoc>'
    '<script src="{script}"></script></body></html>\n'
)


def _protect(response: Response) -> Response:
    """Let the page load nothing from elsewhere, and no other page show it in a frame."""
    scripts = [] if response.direct_passthrough else _INLINE_SCRIPT.findall(response.get_data())
    hashes = "".join(f" 'sha256-{b64encode(hashlib.sha256(script).digest()).decode()}'" for script in scripts)
    response.headers["Content-Security-Policy"] = _POLICY.format(hashes=hashes)
    response.headers["X-Frame-Options"] = "DENY"
    return response


def serve(app: Flask, name: str, prefix: str, documents: Documents) -> None:
    """Add the routes of a family's documents."""
    built: list[bytes] = []

    @public
    def description() -> Response:
        """Describe this API (OpenAPI 3)."""
        if not built:
            built.append(run_cpu(lambda: json_response(documents.build(current_app)).get_data()))
        return current_app.response_class(built[0], mimetype="application/json")

    app.add_url_rule(f"{prefix}{documents.path}", f"{name}_openapi", description, methods=["GET"])
    if documents.page is not None:
        pages = get_swaggerui_blueprint(
            f"{prefix}{documents.page}", f"{prefix}{documents.path}", blueprint_name=f"{name}_docs"
        )
        pages.after_request(_protect)
        app.register_blueprint(pages)
        public(app.view_functions[f"{name}_docs.show"])
    if documents.redoc is not None:
        _serve_redoc(app, name, prefix, documents)


def _serve_redoc(app: Flask, name: str, prefix: str, documents: Documents) -> None:
    page_path = f"{prefix}{documents.redoc}"
    script_path = f"{page_path}/redoc.js"

    @public
    def page() -> Response:
        """Show the API with Redoc."""
        root = request.script_root
        text = _REDOC_PAGE.format(document=f"{root}{prefix}{documents.path}", script=f"{root}{script_path}")
        return _protect(current_app.response_class(text, mimetype="text/html"))

    @public
    def script() -> Response:
        """Serve the script of Redoc."""
        return send_file(_redoc_script(), mimetype="text/javascript", conditional=True)

    app.add_url_rule(f"{page_path}/", f"{name}_redoc", page, methods=["GET"])
    app.add_url_rule(script_path, f"{name}_redoc_script", script, methods=["GET"])


def _redoc_script() -> Path:
    # Found without an import, which would load another web framework.
    found = find_spec(_REDOC_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise NotFound("Redoc is not installed.")
    return Path(found.submodule_search_locations[0]) / _REDOC_SCRIPT
