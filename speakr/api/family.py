"""The native API as a family: its authenticators and its error format."""

from __future__ import annotations

from speakr.api import openapi, register
from speakr.api.auth import PAIRS
from speakr.api.errors import render
from speakr.web.authenticators.api_token import ApiToken
from speakr.web.authenticators.basic import BasicPassword
from speakr.web.authenticators.signed_address import SignedAddress
from speakr.web.documents import Documents
from speakr.web.families import ApiFamily

FAMILY = ApiFamily(
    name="native",
    prefix="/api/v1",
    register=register,
    authenticators=(
        PAIRS.in_header,
        ApiToken(),
        BasicPassword(on_declared_routes_only=True),
        SignedAddress(),
        PAIRS.in_cookie,
    ),
    render=render,
    documents=Documents(build=openapi.document),
    credential_hint="A token is required: send it as 'Authorization: Bearer <token>'.",
)
