"""Clio's error format: `success`, `message`, `errors` by field, and `detail` where its web client reads it."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response

from speakr.web.failures import Failure
from speakr.web.json import json_response

_STATUS: Mapping[str, int] = {"storage_quota_exceeded": 413}
"""Codes whose status differs from that of the native API."""
_FIELD: Mapping[str, str] = {"storage_quota_exceeded": "storage"}
"""Codes that Clio reports under the name of a field."""
_CONFLICT, _INVALID = 409, 400
_WITH_DETAIL = frozenset({401, 403, 404, 429})
_GENERAL = "non_field_errors"


def render(failure: Failure) -> Response:
    """Write a failure as Clio's clients expect it. `message` holds the reason: often they show nothing else."""
    status = _STATUS.get(failure.code, failure.status)
    if status == _CONFLICT:  # Clio has no such status
        status = _INVALID
    body = {"success": False, "message": failure.message, "errors": _fields(failure)}
    if status in _WITH_DETAIL:
        body["detail"] = failure.message
    return json_response(body, status)


def _fields(failure: Failure) -> dict[str, list[str]]:
    if not failure.errors:
        name = "audio_file" if "max_size_mb" in failure.extra else _FIELD.get(failure.code, _GENERAL)
        return {name: [failure.message]}
    return {_GENERAL if name == "body" else name: texts for name, texts in failure.errors.items()}
