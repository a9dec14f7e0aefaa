"""The API of Clio Voice Notes as a family: its routes, credentials, limits, CORS policy, documents and error format."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Flask, Response

from speakr.compat.clio import accounts, notes
from speakr.compat.clio.noun import ANONYMOUS_RATE, MEDIA, PREFIX, USER_RATE
from speakr.web.authenticators import jwt_pair
from speakr.web.authenticators.api_token import ApiToken
from speakr.web.cors import CorsPolicy
from speakr.web.described import Description
from speakr.web.documents import Documents
from speakr.web.failures import Failure, by_field
from speakr.web.families import ApiFamily
from speakr.web.json import json_response

DESCRIPTION = Description(
    name="clio",
    title="Clio Voice Notes",
    blueprints=(
        accounts.blp,
        notes.blp,
        notes.tags,
        notes.clips,
        accounts.stats,
        notes.media,
        accounts.health,
    ),
)

DEVELOPED_AT = tuple(f"http://{host}:{port}" for host in ("localhost", "127.0.0.1") for port in (3000, 3011))
"""Origins of Clio's web client while it is developed; SPEAKR_CORS_ORIGINS adds those of an installation."""
_FIELDS = {"storage_quota_exceeded": "storage", "no_text_yet": "transcription"}
"""Codes that Clio reports under the name of a field."""
_WITH_DETAIL = frozenset({401, 403, 404, 429})


def _render(failure: Failure) -> Response:
    """Write `success`, `message`, `errors` by field, and `detail` where Clio's web client reads it."""
    if failure.code == "no_text_yet":
        failure = replace(failure, message="The note has no text yet.")
    status = 413 if failure.code == "storage_quota_exceeded" else failure.status
    general = "audio_file" if "max_size_mb" in failure.extra and not failure.errors else "non_field_errors"
    shown = by_field(failure, _FIELDS, general=general)
    body: dict[str, Any] = {"success": False, "message": failure.message, "errors": shown}
    if status in _WITH_DETAIL:
        body["detail"] = failure.message
    return json_response(body, 400 if status == 409 else status)  # noqa: PLR2004 - Clio has no 409


def _register(app: Flask) -> None:
    jwt_pair.init_app(app)
    DESCRIPTION.register(app)


FAMILY = ApiFamily(
    name="clio",
    prefix=PREFIX,
    register=_register,
    authenticators=(
        MEDIA,
        accounts.PAIRS.in_header,
        ApiToken(headers=(), query_parameter=None),
        accounts.PAIRS.in_cookie,
    ),
    render=_render,
    rates={USER_RATE: "rate_limit_compat_user", ANONYMOUS_RATE: "rate_limit_compat_anonymous"},
    cors=CorsPolicy(allows_credentials=True, further_origins=DEVELOPED_AT),
    documents=Documents(build=DESCRIPTION.build, path="/api/schema/", page="/api/docs", redoc="/api/redoc"),
    challenge="Bearer",
    credential_hint="Authentication credentials were not provided.",
)
