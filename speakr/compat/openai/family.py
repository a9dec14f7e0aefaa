"""OpenAI's audio API as a family: API tokens as keys, and its error format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flask import Response

from speakr.compat.openai.routes import blp
from speakr.compat.openai.schemas import document
from speakr.web.authenticators.api_token import ApiToken
from speakr.web.cors import CorsPolicy
from speakr.web.documents import Documents
from speakr.web.failures import Failure
from speakr.web.families import ApiFamily
from speakr.web.json import json_response

_STATUS: Final[Mapping[int, int]] = {409: 400, 415: 400, 422: 400, 507: 503}
"""OpenAI's clients send a request again after a 409, so a state that lasts must not have it."""
_TYPES: Final[Mapping[int, str]] = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
}
_CODES: Final[Mapping[str, str]] = {
    "not_authenticated": "invalid_api_key",
    "invalid_token": "invalid_api_key",
    "expired_token": "invalid_api_key",
    "wrong_password": "invalid_api_key",
    "rate_limited": "rate_limit_exceeded",
    "invalid": "invalid_value",
}
_NO_FILE: Final = frozenset({"no_file", "no_file_selected", "several_files"})
_SERVER_ERROR: Final = 500
_OBSIDIAN: Final = ("app://obsidian.md", "capacitor://localhost", "http://localhost")
"""Origins of Obsidian's desktop and mobile apps, whose plugins call from a web page. A key is needed there, too."""


def render(failure: Failure) -> Response:
    """Write `{error: {message, type, param, code}}`; say whether to send the request again after a failure of the server."""
    status = _STATUS.get(failure.status, failure.status)
    is_of_server = status >= _SERVER_ERROR
    usual = "server_error" if is_of_server else "invalid_request_error"
    param = "file" if failure.code in _NO_FILE else next(iter(failure.errors), None)
    body = {
        "message": failure.message,
        "type": _TYPES.get(status, usual),
        "param": param,
        "code": _CODES.get(failure.code, failure.code),
    }
    response = json_response({"error": body}, status)
    if is_of_server:
        response.headers["x-should-retry"] = "true" if "Retry-After" in failure.headers else "false"
    return response


FAMILY = ApiFamily(
    name="openai",
    prefix="/v1",
    blueprints=(blp,),
    authenticators=(ApiToken(headers=(), query_parameter=None),),
    render=render,
    cors=CorsPolicy(further_origins=_OBSIDIAN, request_headers="Authorization, *"),
    documents=Documents(build=document, page=None),
    credential_hint="You didn't provide an API key. Send an API token as 'Authorization: Bearer <token>'.",
)
