"""The API of Clio Voice Notes as a family: its routes, credentials, limits, CORS policy and documents."""

from __future__ import annotations

from flask import Flask

from speakr.compat.clio import health, media, notes, tags
from speakr.compat.clio.errors import render
from speakr.compat.clio.noun import ANONYMOUS_RATE, PREFIX, USER_RATE
from speakr.compat.clio.tokens import PAIRS
from speakr.web.authenticators import jwt_pair
from speakr.web.cors import CorsPolicy
from speakr.web.described import Description
from speakr.web.documents import Documents
from speakr.web.families import ApiFamily

DESCRIPTION = Description(
    name="clio", title="Clio Voice Notes", blueprints=(health.blp, notes.blp, tags.blp, media.blp)
)

CORS = CorsPolicy(
    allows_credentials=True,
    further_origins=(
        "http://localhost:3000",
        "http://localhost:3011",
        "http://127.0.0.1:3000",
        "http://127.0.0.1:3011",
    ),
)
"""Clio's web client runs at these origins while it is developed; SPEAKR_CORS_ORIGINS adds those of an installation."""


def _register(app: Flask) -> None:
    jwt_pair.init_app(app)
    DESCRIPTION.register(app)


FAMILY = ApiFamily(
    name="clio",
    prefix=PREFIX,
    register=_register,
    authenticators=(media.SignedMedia(), PAIRS),
    render=render,
    rates={USER_RATE: "rate_limit_compat_user", ANONYMOUS_RATE: "rate_limit_compat_anonymous"},
    cors=CORS,
    documents=Documents(build=DESCRIPTION.build, path="/api/schema/", page="/api/docs"),
    challenge="Bearer",
    credential_hint="Authentication credentials were not provided.",
)
