"""An error format with `success`, `message`, `errors` by field, and `detail`, as Django REST framework's clients read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from flask import Response

from speakr.web.failures import Failure
from speakr.web.json import json_response

_WITH_DETAIL: Final = frozenset({401, 403, 404, 429})
_GENERAL: Final = "non_field_errors"
_CONFLICT, _INVALID = 409, 400


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldErrors:
    """Renders failures. The format has no conflicts: they are invalid requests."""

    file_field: str
    """The field of a form that is at fault when a file is too large."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Fields for codes that concern no field of the request."""
    statuses: Mapping[str, int] = field(default_factory=dict)
    """Codes whose status differs from that of the native API."""
    messages: Mapping[str, str] = field(default_factory=dict)
    """Codes with a sentence in the words of the family."""

    def render(self, failure: Failure) -> Response:
        """Write a failure. `message` holds the reason: clients often show nothing else."""
        status = self.statuses.get(failure.code, failure.status)
        if status == _CONFLICT:
            status = _INVALID
        message = self.messages.get(failure.code, failure.message)
        body = {"success": False, "message": message, "errors": self._errors(failure, message)}
        if status in _WITH_DETAIL:
            body["detail"] = message
        return json_response(body, status)

    def _errors(self, failure: Failure, message: str) -> dict[str, list[str]]:
        if not failure.errors:
            usual = self.fields.get(failure.code, _GENERAL)
            return {self.file_field if "max_size_mb" in failure.extra else usual: [message]}
        return {_GENERAL if name == "body" else name: texts for name, texts in failure.errors.items()}
