"""Registration and login with a password: access and refresh tokens in bodies, or as cookies for browsers."""

from __future__ import annotations

from typing import Any, Final

from flask import Response
from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.schemas.auth import LoginIn, LogoutIn, RefreshIn, RegisteredOut, RegisterIn, TokensOut
from speakr.api.schemas.users import UserOut
from speakr.api.users import shown
from speakr.domain.errors import Forbidden
from speakr.domain.permissions import Scope
from speakr.services.accounts import users
from speakr.web import families, logins
from speakr.web.authenticators.jwt_pair import JwtPair, TokenPair
from speakr.web.identity import actor, needs, public
from speakr.web.rate_limits import RateClass

blp = noun("auth", "Registration and login")

PAIRS: Final = JwtPair(
    access_cookie="speakr_access",
    refresh_cookie="speakr_refresh",
    csrf_cookie="speakr_csrf",
    refresh_path="/api/v1/auth",
)


def _tokens(pair: TokenPair, *, by_cookie: bool, status: int = 200, **more: Any) -> Response:
    body: dict[str, Any] = {
        **more,
        "token_type": "Bearer",
        "expires_in": round(PAIRS.access_lifetime.total_seconds()),
    }
    if by_cookie:
        body["csrf_token"] = pair.csrf
    else:
        body |= {"access_token": pair.access, "refresh_token": pair.refresh}
    return logins.answer(body, status, pairs=PAIRS if by_cookie else None, pair=pair)


def _shown_new(user: Any) -> Any:
    """Return a new account as its user sees it; it has no webhooks yet, and this request no actor."""
    return UserOut().dump(shown(user, dict.fromkeys(families.account_webhooks())))


@blp.route("/auth/register")
class Register(MethodView):
    """New accounts."""

    @public
    @blp.doc(operationId="register")
    @blp.arguments(RegisterIn)
    @blp.response(201, RegisteredOut)
    def post(self, form: dict[str, Any]) -> Response:
        """Create an account and log in, if the operator allows it (SPEAKR_REGISTRATION)."""
        by_cookie = form.pop("cookies")
        user, pair = logins.register(PAIRS, form, _shown_new)
        return _tokens(pair, by_cookie=by_cookie, status=201, user=user)


@blp.route("/auth/login")
class Login(MethodView):
    """New sessions."""

    @public
    @blp.doc(operationId="login")
    @blp.arguments(LoginIn)
    @blp.response(200, TokensOut)
    def post(self, form: dict[str, Any]) -> Response:
        """Log in with name and password."""
        return _tokens(logins.log_in(PAIRS, form), by_cookie=form["cookies"])


@blp.route("/auth/refresh")
class Refresh(MethodView):
    """The next pair of tokens."""

    @public
    @blp.doc(operationId="refreshTokens")
    @blp.arguments(RefreshIn, required=False)
    @blp.response(200, TokensOut)
    def post(self, form: dict[str, Any]) -> Response:
        """Exchange a refresh token, from the body or the cookie, for a new pair.

        A second use of a token from a body ends its session, because one of the two users may be a thief. The cookie
        needs `X-CSRF-Token`, and gets the same pair again for ten seconds.
        """
        token = form.get("refresh_token")
        return _tokens(logins.refresh(PAIRS, token, field="refresh_token"), by_cookie=not token)


@blp.route("/auth/logout")
class Logout(MethodView):
    """The end of sessions."""

    @needs(Scope.WRITE, RateClass.WRITE)
    @blp.doc(operationId="logout")
    @blp.arguments(LogoutIn, required=False)
    @blp.response(204)
    def post(self, form: dict[str, Any]) -> Response:
        """End the session of the access token, of a refresh token, or all of them. API tokens stay valid."""
        token = form.get("refresh_token") or None
        if actor().session_id is None:
            raise Forbidden("This credential belongs to no session.", code="session_required")
        PAIRS.log_out(actor(), refresh_token=token, everywhere=form.get("everywhere", False))
        response = Response(status=204)
        PAIRS.clear_cookies(response)
        return response


@blp.route("/auth/me")
class Me(MethodView):
    """The user who is logged in."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="getLoggedInUser")
    @blp.response(200, UserOut)
    def get(self) -> Any:
        """Return the user of the credential, as `/users/me` does."""
        return shown(users.get(actor().user_id))
