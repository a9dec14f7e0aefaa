"""A small API with its own format, credentials, limits and CORS policy: what adding one takes."""

from __future__ import annotations

from flask import Response

from speakr.web.authenticators.api_token import X_API_KEY
from speakr.web.authenticators.basic import BasicPassword
from speakr.web.cors import CorsPolicy
from speakr.web.documents import Documents
from speakr.web.failures import Failure
from speakr.web.families import ApiFamily
from speakr.web.json import json_response
from tests.families.toy.routes import blp


def render(failure: Failure) -> Response:
    """Write a failure as the clients of this API expect it."""
    return json_response(
        {"ok": False, "reason": failure.code, "fields": list(failure.errors)}, failure.status
    )


FAMILY = ApiFamily(
    name="toy",
    prefix="/toy/v2",
    blueprints=(blp,),
    authenticators=(X_API_KEY, BasicPassword()),
    render=render,
    rates={"polish": 2},
    cors=CorsPolicy(allows_credentials=True, exposed_headers="X-Toy"),
    documents=Documents(build=lambda _: {"openapi": "3.0.3", "info": {"title": "Toy"}}, page=None),
    challenge='Basic realm="toy"',
)
