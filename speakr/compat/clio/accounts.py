"""Clio's accounts: register, log in, refresh, log out, and the profile."""

from __future__ import annotations

from typing import Any

from flask import Response

from speakr.compat.clio import schemas_accounts as schemas
from speakr.compat.clio.noun import ANONYMOUS_RATE, PREFIX, USER_RATE, noun
from speakr.db import unit_of_work
from speakr.domain.permissions import Scope
from speakr.services.accounts import users
from speakr.web import logins
from speakr.web.authenticators.jwt_pair import JwtPair, TokenPair
from speakr.web.identity import actor, needs, public
from speakr.web.json import json_response
from speakr.web.rate_limits import count

PAIRS = JwtPair(access_path="/", refresh_path=f"{PREFIX}/api/auth/", needs_csrf_token=False, names_user=True)
"""Clio's web client sends no CSRF header, so the origin of its page is the proof."""

blp = noun("accounts", "Accounts and tokens")


def _bare(pair: TokenPair) -> Response:
    return logins.answer({"refresh": pair.refresh, "access": pair.access}, pairs=PAIRS, pair=pair)


@blp.route("/auth/register/", methods=["POST"])
@public
@blp.arguments(schemas.RegisterIn)
@blp.response(201, schemas.RegisteredAnswerOut)
def register(form: dict[str, Any]) -> Response:
    """Create an account and log in."""
    count(ANONYMOUS_RATE)
    user, pair = logins.register(PAIRS, form, lambda user: schemas.UserOut().dump({"user": user}))
    data = {"user": user, "tokens": {"refresh": pair.refresh, "access": pair.access}}
    body = {"success": True, "message": "User registered successfully", "data": data}
    return logins.answer(body, 201, pairs=PAIRS, pair=pair)


@blp.route("/auth/login/", methods=["POST"])
@public
@blp.arguments(schemas.LoginIn)
@blp.response(200, schemas.TokensOut)
def login(form: dict[str, Any]) -> Response:
    """Log in with name and password."""
    count(ANONYMOUS_RATE)
    return _bare(logins.log_in(PAIRS, form))


@blp.route("/auth/refresh/", methods=["POST"])
@public
@blp.arguments(schemas.RefreshIn, required=False)
@blp.response(200, schemas.TokensOut)
def refresh(form: dict[str, Any]) -> Response:
    """Exchange the refresh token in the body, or else that in the cookie, for a new pair."""
    count(ANONYMOUS_RATE)
    return _bare(logins.refresh(PAIRS, form.get("refresh"), field="refresh"))


@blp.route("/auth/logout/", methods=["POST"])
@needs(Scope.WRITE, USER_RATE)
@blp.arguments(schemas.LogoutIn, required=False)
@blp.response(200, schemas.AnswerOut)
def logout(form: dict[str, Any]) -> Response:
    """End the session of the refresh token, or else that of the credential."""
    PAIRS.log_out(actor(), refresh_token=form.get("refresh_token") or None)
    response = json_response({"success": True, "message": "Logged out successfully"})
    PAIRS.clear_cookies(response)
    return response


@blp.route("/auth/profile/", methods=["GET"])
@needs(Scope.READ, USER_RATE)
@blp.response(200, schemas.ProfileAnswerOut)
def profile() -> Any:
    """Return the profile."""
    return {"success": True, "data": {"user": users.get(actor().user_id)}}


@blp.route("/auth/profile/", methods=["PUT", "PATCH"])
@needs(Scope.WRITE, USER_RATE)
@blp.arguments(schemas.ProfileIn)
@blp.response(200, schemas.ProfileAnswerOut)
def change_profile(changes: dict[str, Any]) -> Any:
    """Change the language and the audio quality; clients send the whole profile, whose other fields are ignored."""
    if changes:
        with unit_of_work():
            users.update(actor(), {"preferences": changes})
    user = users.get(actor().user_id)
    return {"success": True, "message": "Profile updated successfully", "data": {"user": user}}
