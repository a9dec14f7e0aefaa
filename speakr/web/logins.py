"""Registration, login and refresh with pairs of tokens, as every API family that has them does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flask import Response, request

from speakr.db import one_commit, unit_of_work
from speakr.domain.errors import Invalid
from speakr.services.accounts import registration
from speakr.web.authenticators.jwt_pair import JwtPair, TokenPair
from speakr.web.authenticators.passwords import check_password
from speakr.web.json import json_response
from speakr.web.rate_limits import RateClass, count

Shown = TypeVar("Shown")


def register(
    pairs: JwtPair, form: Mapping[str, Any], show: Callable[[Any], Shown]
) -> tuple[Shown, TokenPair]:
    """Create an account and log in; return what `show` makes of the user, and the first pair.

    form: the arguments of `registration.prepare`.

    Raises:
        RateLimited: too many new accounts from this address.
        Forbidden, Invalid, Conflict: as `registration.prepare` and `registration.create` do.

    """
    registration.require_open()
    count(RateClass.REGISTRATION)
    new = registration.prepare(**form)
    with one_commit():
        with unit_of_work():
            user, checked = registration.create(new)
            shown = show(user)
        return shown, pairs.log_in(checked)


def log_in(pairs: JwtPair, form: Mapping[str, Any]) -> TokenPair:
    """Check `username` and `password`, and return the first pair of a new session."""
    return pairs.log_in(check_password(form["username"], form["password"]))


def refresh(pairs: JwtPair, token: str | None, *, field: str) -> TokenPair:
    """Return the next pair: for a token from the body, or else for that in the cookie.

    field: where the body would have had it.

    Raises:
        Invalid: there is neither.
        NotAuthenticated: the token is not valid.

    """
    if token:
        return pairs.refresh_by_body(token)
    if not pairs.has_refresh_cookie(request):
        raise Invalid("No refresh token was sent.", errors={field: ["is required"]})
    return pairs.refresh_by_cookie(request)


def answer(
    body: Mapping[str, Any], status: int = 200, *, pairs: JwtPair | None = None, pair: TokenPair | None = None
) -> Response:
    """Return a response with tokens, which no cache may keep; with `pairs`, set them as cookies too."""
    response = json_response(body, status)
    response.headers["Cache-Control"] = "no-store"
    if pairs is not None and pair is not None:
        pairs.set_cookies(response, pair)
    return response
