"""The native API's error format: one JSON shape for all failures."""

from __future__ import annotations

from flask import Response, g

from speakr.web.failures import Failure
from speakr.web.json import json_response


def render(failure: Failure) -> Response:
    """Build the response of a failure; its further facts only add keys."""
    shape = {"error": failure.message, "code": failure.code, "request_id": g.get("request_id", "")}
    fields = {"errors": failure.errors} if failure.errors else {}
    return json_response({**shape, **failure.extra, **fields, **shape}, failure.status)
