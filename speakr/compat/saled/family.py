"""Saled as an API family: `/saled`, without accounts, with FastAPI's error format."""

from __future__ import annotations

import re
from typing import Any

from flask import Response

from speakr.compat.saled.routes import blp
from speakr.compat.saled.schemas_document import build
from speakr.web import sockets
from speakr.web.authenticators.api_token import ApiToken
from speakr.web.authenticators.fixed_owner import FixedOwner
from speakr.web.cors import CorsPolicy
from speakr.web.documents import Documents
from speakr.web.failures import Failure
from speakr.web.families import ApiFamily
from speakr.web.json import json_response

_NO_FILE = {"no_file", "no_file_selected"}
_MISSING = re.compile("required", re.IGNORECASE)


def render(failure: Failure) -> Response:
    """Write `{detail}`: a sentence, or a list of missing fields with status 422, as FastAPI does."""
    fields = {"file": ["Field required"]} if failure.code in _NO_FILE else failure.errors
    missing = {name: texts for name, texts in fields.items() if _MISSING.search(" ".join(texts))}
    if missing:
        return json_response({"detail": [_problem(name, texts) for name, texts in missing.items()]}, 422)
    return json_response({"detail": failure.message}, failure.status)


def _problem(name: str, texts: list[str]) -> dict[str, Any]:
    return {"type": "missing", "loc": ["body", *name.split(".")], "msg": " ".join(texts)}


FAMILY = ApiFamily(
    name="saled",
    prefix="/saled",
    blueprints=(blp,),
    register=sockets.init_app,
    authenticators=(ApiToken(), FixedOwner(is_usual=True)),
    render=render,
    cors=CorsPolicy(allows_any_origin=True),
    documents=Documents(build=build),
)
