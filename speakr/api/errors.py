"""The native API's format of failures: one JSON shape for all of them."""

from __future__ import annotations

from flask import Response, g

from speakr.web.failures import Failure
from speakr.web.json import json_response


def render(failure: Failure) -> Response:
    """Build the one error shape; further facts add to it and change none of it."""
    shape = {"error": failure.message, "code": failure.code, "request_id": g.get("request_id", "")}
    fields = {"errors": failure.errors} if failure.errors else {}
    return json_response({**shape, **failure.extra, **fields, **shape}, failure.status)
