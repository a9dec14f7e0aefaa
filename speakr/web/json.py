"""Use orjson in Flask: this server mostly writes long lists as JSON."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response, current_app
from flask.json.provider import JSONProvider


class OrjsonProvider(JSONProvider):
    """Flask's JSON provider, based on orjson."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Serialize to JSON text."""
        del kwargs
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Parse JSON text."""
        del kwargs
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """Build a JSON response."""
        return current_app.response_class(
            orjson.dumps(self._prepare_response_obj(args, kwargs)) + b"\n", mimetype="application/json"
        )


def written_response(body: bytes) -> Response:
    """Return a response with JSON that is written already."""
    return current_app.response_class(body, mimetype="application/json")


def json_response(body: Any, status: int = 200) -> Response:
    """Return a response with a dict that is ready for JSON."""
    return current_app.response_class(orjson.dumps(body) + b"\n", status=status, mimetype="application/json")
