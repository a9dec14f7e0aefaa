"""The routes of registration, login, refresh and logout, for API families that set tokens in bodies and as cookies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response
from marshmallow import Schema

from speakr.domain.permissions import Scope
from speakr.web import logins
from speakr.web.authenticators import jwt_pair
from speakr.web.authenticators.jwt_pair import JwtPair, TokenPair
from speakr.web.described import Blueprint
from speakr.web.identity import actor, needs, public
from speakr.web.json import json_response
from speakr.web.rate_limits import count


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """The schemas of one route."""

    takes: type[Schema]
    gives: type[Schema]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenShapes:
    """The bodies of a family."""

    register: Exchange
    login: Exchange
    refresh: Exchange
    logout: Exchange
    show_user: Callable[[Any], Any]
    """Returns the user as registration shows it."""
    registered: Callable[[Any, TokenPair], Mapping[str, Any]]
    """Returns the body of a registration, from the shown user and the first pair."""
    tokens: Callable[[TokenPair], Mapping[str, Any]]
    """Returns the body of a login or refresh."""
    logged_out: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRoutes:
    """What differs between families."""

    pairs: JwtPair
    public_rate: str
    """Rate class of the routes without a credential, per address."""
    user_rate: str
    shapes: TokenShapes

    def add(self, blp: Blueprint) -> None:
        """Add the routes below `/auth/` to a blueprint."""
        blp.record_once(lambda state: jwt_pair.init_app(state.app))
        self._add_new_sessions(blp)
        self._add_present_sessions(blp)

    def _answer(self, pair: TokenPair) -> Response:
        return logins.answer(self.shapes.tokens(pair), pairs=self.pairs, pair=pair)

    def _add_new_sessions(self, blp: Blueprint) -> None:
        asked, given = self.shapes.register.takes, self.shapes.register.gives

        @blp.operation("POST /auth/register/", public, takes=asked, gives=given, status=201)
        def register(form: dict[str, Any]) -> Response:
            """Create an account and log in."""
            count(self.public_rate)
            user, pair = logins.register(self.pairs, form, self.shapes.show_user)
            return logins.answer(self.shapes.registered(user, pair), 201, pairs=self.pairs, pair=pair)

        @blp.operation(
            "POST /auth/login/", public, takes=self.shapes.login.takes, gives=self.shapes.login.gives
        )
        def login(form: dict[str, Any]) -> Response:
            """Log in with name and password."""
            count(self.public_rate)
            return self._answer(logins.log_in(self.pairs, form))

    def _add_present_sessions(self, blp: Blueprint) -> None:
        write = needs(Scope.WRITE, self.user_rate)

        @blp.operation(
            "POST /auth/refresh/",
            public,
            takes=self.shapes.refresh.takes,
            gives=self.shapes.refresh.gives,
            required=False,
        )
        def refresh(form: dict[str, Any]) -> Response:
            """Exchange the refresh token in the body, or else that in the cookie, for a new pair."""
            count(self.public_rate)
            return self._answer(logins.refresh(self.pairs, form.get("refresh"), field="refresh"))

        @blp.operation(
            "POST /auth/logout/",
            write,
            takes=self.shapes.logout.takes,
            gives=self.shapes.logout.gives,
            required=False,
        )
        def logout(form: dict[str, Any]) -> Response:
            """End the session of the refresh token, or else that of the credential."""
            self.pairs.log_out(actor(), refresh_token=form.get("refresh_token") or None)
            response = json_response(dict(self.shapes.logged_out))
            self.pairs.clear_cookies(response)
            return response
