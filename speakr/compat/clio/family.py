"""The API of Clio Voice Notes as a family: its routes, credentials, limits, CORS policy and documents."""

from __future__ import annotations

from flask import Flask

from speakr.compat.clio import accounts, health, media, notes, stats, tags, transcribe
from speakr.compat.clio.errors import render
from speakr.compat.clio.noun import ANONYMOUS_RATE, PREFIX, USER_RATE
from speakr.web.authenticators import jwt_pair
from speakr.web.authenticators.api_token import ApiToken
from speakr.web.cors import CorsPolicy
from speakr.web.described import Description
from speakr.web.documents import Documents
from speakr.web.families import ApiFamily

DESCRIPTION = Description(
    name="clio",
    title="Clio Voice Notes",
    blueprints=(accounts.blp, notes.blp, tags.blp, transcribe.blp, stats.blp, media.blp, health.blp),
)

DEVELOPED_AT = tuple(f"http://{host}:{port}" for host in ("localhost", "127.0.0.1") for port in (3000, 3011))
"""Origins of Clio's web client while it is developed; SPEAKR_CORS_ORIGINS adds those of an installation."""


def _register(app: Flask) -> None:
    jwt_pair.init_app(app)
    DESCRIPTION.register(app)


FAMILY = ApiFamily(
    name="clio",
    prefix=PREFIX,
    register=_register,
    authenticators=(
        media.SignedMedia(),
        accounts.PAIRS.in_header,
        ApiToken(headers=(), query_parameter=None),
        accounts.PAIRS.in_cookie,
    ),
    render=render,
    rates={USER_RATE: "rate_limit_compat_user", ANONYMOUS_RATE: "rate_limit_compat_anonymous"},
    cors=CorsPolicy(allows_credentials=True, further_origins=DEVELOPED_AT),
    documents=Documents(build=DESCRIPTION.build, path="/api/schema/", page="/api/docs", redoc="/api/redoc"),
    challenge="Bearer",
    credential_hint="Authentication credentials were not provided.",
)
