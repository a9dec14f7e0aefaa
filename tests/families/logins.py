"""An API family with every kind of login, for the tests of authenticators."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from speakr.api.errors import render
from speakr.domain.permissions import Scope
from speakr.web.access import public
from speakr.web.authenticators import jwt_pair
from speakr.web.authenticators.api_token import X_API_KEY, ApiToken
from speakr.web.authenticators.fixed_owner import FixedOwner
from speakr.web.authenticators.jwt_pair import JwtPair, TokenPair
from speakr.web.authenticators.passwords import check_password
from speakr.web.authenticators.session_cookie import SessionCookie
from speakr.web.authenticators.signed_address import SignedAddress
from speakr.web.families import ApiFamily
from speakr.web.identity import actor, needs
from speakr.web.json import json_response
from speakr.web.rate_limits import RateClass

PREFIX = "/logins"
pairs = JwtPair()
cookie = SessionCookie()
blp = Blueprint("logins", __name__)


def shown(pair: TokenPair) -> dict[str, Any]:
    return {"access_token": pair.access, "refresh_token": pair.refresh}


@blp.post("/token")
@public
def token() -> dict[str, Any]:
    return shown(pairs.log_in(check_password(**request.get_json())))


@blp.post("/token/refresh")
@public
def refresh() -> dict[str, Any]:
    return shown(pairs.refresh_by_body(request.get_json()["refresh_token"]))


@blp.post("/cookies")
@public
def cookies() -> Response:
    response = json_response({})
    pairs.set_cookies(response, pairs.log_in(check_password(**request.get_json())))
    return response


@blp.post("/cookies/refresh")
@public
def refresh_cookies() -> Response:
    response = json_response({})
    pairs.set_cookies(response, pairs.refresh_by_cookie(request))
    return response


@blp.post("/session")
@public
def session() -> Response:
    response = json_response({})
    response.headers["X-CSRF-Token"] = cookie.log_in(check_password(**request.get_json()), response)
    return response


@blp.post("/logout")
@needs(None, RateClass.GET)
def logout() -> Response:
    response = json_response({})
    everywhere = request.args.get("everywhere") == "true"
    cookie.log_out(actor(), response, everywhere=everywhere)
    pairs.log_out(actor(), everywhere=everywhere)
    pairs.clear_cookies(response)
    return response


@blp.route("/me", methods=["GET", "POST"])
@needs(Scope.READ, RateClass.GET)
def me() -> dict[str, Any]:
    who = actor()
    return {"user": who.username, "scopes": sorted(who.scopes), "admin": who.acts_as_admin}


@blp.route("/things/<int:number>", methods=["GET", "POST"])
@needs(None, RateClass.GET)
def thing(number: int) -> dict[str, Any]:
    return {"user": actor().username, "thing": number, "scopes": sorted(actor().scopes)}


FAMILY = ApiFamily(
    name="logins",
    prefix=PREFIX,
    blueprints=(blp,),
    register=jwt_pair.init_app,
    authenticators=(pairs, ApiToken(headers=()), X_API_KEY, SignedAddress(), cookie, FixedOwner()),
    render=render,
)
