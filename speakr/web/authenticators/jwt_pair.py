"""Pairs of JSON Web Tokens (RFC 7519): a short-lived access token, and a refresh token for one refresh.

Both travel in JSON bodies and the `Authorization` header, or as cookies that scripts cannot read. The row of the
session (`services/sessions.py`) decides whether a token with a valid signature still counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from flask import Flask, Request, Response, after_this_request
from flask_jwt_extended import JWTManager, create_access_token, create_refresh_token, decode_token
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt.exceptions import ExpiredSignatureError, PyJWTError

from speakr.db import unit_of_work
from speakr.domain.errors import Invalid, NotAuthenticated
from speakr.domain.permissions import Actor
from speakr.services.accounts import sessions
from speakr.services.accounts.key_derivation import derived_key, keyed_digest
from speakr.services.accounts.users import CheckedPassword
from speakr.web import families
from speakr.web.authenticators.session_cookie import require_csrf_token
from speakr.web.browsers import SAFE_METHODS, clear_cookie, require_own_page, set_cookie
from speakr.web.known_users import Credential, in_cookie, in_header
from speakr.web.rate_limits import RateClass, count

_BEARER = "bearer"
_PARTS = 3
_NO_GRACE = timedelta(0)


def init_app(app: Flask) -> None:
    """Prepare an app for tokens; the `register` function of a family that accepts them calls this."""
    if "flask-jwt-extended" not in app.extensions:
        app.config.update(
            JWT_SECRET_KEY=derived_key("json web tokens").hex(), JWT_ALGORITHM="HS256", JWT_ENCODE_NBF=False
        )
        JWTManager(app)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    """Both tokens in the form that their owner gets, and the CSRF token of their session."""

    access: str
    refresh: str
    csrf: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtPair:
    """Accepts access tokens of this family: in the `Authorization` header, or in a cookie with a CSRF token."""

    access_lifetime: timedelta = timedelta(minutes=60)
    refresh_lifetime: timedelta = timedelta(days=7)
    cookie_grace: timedelta = timedelta(seconds=10)
    """How long a refresh by cookie may be repeated: a page may start two of them while it loads."""
    access_cookie: str = "access_token"
    refresh_cookie: str = "refresh_token"
    csrf_cookie: str = "csrf_token"
    """Readable by scripts, which send its value in the header `X-CSRF-Token`."""
    needs_csrf_token: bool = True
    """Whether a cookie needs that header for unsafe methods. If not, the request must name its own or a listed origin."""
    reads_header: bool = True
    reads_cookie: bool = True
    access_path: str | None = None
    """Where browsers send the access token; None: below the prefix of the family."""
    refresh_path: str | None = None
    """Where browsers send the refresh token; None: below the prefix of the family."""
    names_user: bool = False
    """Put `token_type` and `user_id` into the claims, which clients of djangorestframework-simplejwt read."""

    @property
    def in_header(self) -> JwtPair:
        """The authenticator that looks in the header only."""
        return replace(self, reads_cookie=False)

    @property
    def in_cookie(self) -> JwtPair:
        """The authenticator that looks in the cookie only.

        Last in a family, so that a stale cookie does not refuse a request that has a valid credential.
        """
        return replace(self, reads_header=False)

    def authenticate(self, request: Request) -> Actor | None:
        """Check the access token, if there is one."""
        token = _in_header(request) if self.reads_header else None
        if token is not None:
            return self._actor(_claims(token, "access"))
        cookie = request.cookies.get(self.access_cookie) if self.reads_cookie else None
        if not cookie:
            return None
        claims = _claims(cookie, "access")
        actor = self._actor(claims)
        if request.method not in SAFE_METHODS:
            self._require_own_request(request, claims)
        return actor

    def credential(self, request: Request) -> Credential:
        """Return the header or the cookie with the access token."""
        if self.reads_header and _in_header(request) is not None:
            return in_header("Authorization", request.headers["Authorization"])
        return in_cookie(self.access_cookie, request.cookies.get(self.access_cookie, ""))

    def log_in(self, checked: CheckedPassword) -> TokenPair:
        """Start a session and return its first pair."""
        family = families.current().family.name
        with unit_of_work():
            first = sessions.start_for_tokens(
                checked.actor.user_id, checked.password_hash, family, self.refresh_lifetime
            )
        return self._pair(first)

    def refresh_by_body(self, token: str) -> TokenPair:
        """Return the next pair. A token that was used before ends its session.

        Raises:
            NotAuthenticated: the refresh token is wrong, expired or used; counts against the client's address.

        """
        try:
            return self._refresh(_claims(token, "refresh"), _NO_GRACE)
        except NotAuthenticated:
            count(RateClass.BAD_TOKEN)
            raise

    def has_refresh_cookie(self, request: Request) -> bool:
        """Tell whether a request carries a refresh token as a cookie."""
        return bool(request.cookies.get(self.refresh_cookie))

    def refresh_by_cookie(self, request: Request) -> TokenPair:
        """Refresh with the token in the cookie; within `cookie_grace` a repeated request gets the same pair.

        Raises:
            NotAuthenticated: there is no valid token; the answer clears the cookies.
            Forbidden: the CSRF token is missing or wrong, or the request comes from a page of another origin.

        """
        token = request.cookies.get(self.refresh_cookie)
        if not token:
            raise NotAuthenticated("There is no refresh token.")
        try:
            claims = _claims(token, "refresh")
            self._require_own_request(request, claims)
            return self._refresh(claims, self.cookie_grace)
        except NotAuthenticated:
            after_this_request(self._without_cookies)
            count(RateClass.BAD_TOKEN)
            raise

    def log_out(self, actor: Actor, *, refresh_token: str | None = None, everywhere: bool = False) -> None:
        """End the session of a refresh token, by default of the actor's own token; with `everywhere`, all of the user.

        Raises:
            Invalid: the refresh token is not one of this user.

        """
        session_id = actor.session_id
        if refresh_token is not None:
            session_id = _session_of(refresh_token, actor)
        with unit_of_work():
            if everywhere:
                sessions.end_all(actor.user_id)
            elif session_id is not None:
                sessions.end(session_id)

    def set_cookies(self, response: Response, pair: TokenPair) -> None:
        """Set the cookies of a pair."""
        set_cookie(response, self.access_cookie, pair.access, self.access_lifetime, path=self.access_path)
        set_cookie(response, self.refresh_cookie, pair.refresh, self.refresh_lifetime, path=self.refresh_path)
        if self.needs_csrf_token:
            set_cookie(response, self.csrf_cookie, pair.csrf, self.refresh_lifetime, is_readable=True)

    def clear_cookies(self, response: Response) -> None:
        """Delete the cookies of a pair."""
        clear_cookie(response, self.access_cookie, path=self.access_path)
        clear_cookie(response, self.refresh_cookie, path=self.refresh_path)
        if self.needs_csrf_token:
            clear_cookie(response, self.csrf_cookie)

    def _without_cookies(self, response: Response) -> Response:
        self.clear_cookies(response)
        return response

    def _require_own_request(self, request: Request, claims: Mapping[str, Any]) -> None:
        require_own_page(request, is_named=not self.needs_csrf_token)
        if self.needs_csrf_token:
            require_csrf_token(request, claims["csrf"])

    def _actor(self, claims: dict[str, Any]) -> Actor:
        return sessions.by_id(claims["sid"], families.current().family.name)

    def _refresh(self, claims: dict[str, Any], grace: timedelta) -> TokenPair:
        family = families.current().family.name
        with unit_of_work():
            following = sessions.rotate(
                claims["sid"], claims["generation"], family, self.refresh_lifetime, grace
            )
        # Only after the commit: a reused token ends its session, which must not be rolled back.
        if following is None:
            raise NotAuthenticated("The refresh token is not valid.", code="invalid_token")
        return self._pair(following)

    def _pair(self, made: sessions.Generation) -> TokenPair:
        """Sign the tokens of a generation; the same generation always gives the same text."""
        csrf = keyed_digest("csrf of token pairs", str(made.session_id))
        return TokenPair(
            access=create_access_token(
                str(made.user_id), additional_claims=self._signed(made, "access", csrf, self.access_lifetime)
            ),
            refresh=create_refresh_token(
                str(made.user_id),
                additional_claims=self._signed(made, "refresh", csrf, self.refresh_lifetime),
            ),
            csrf=csrf,
        )

    def _signed(self, made: sessions.Generation, kind: str, csrf: str, lifetime: timedelta) -> dict[str, Any]:
        """Return the claims of a token beside those that the library adds."""
        named = {"token_type": kind, "user_id": made.user_id} if self.names_user else {}
        return {
            "iss": _issuer(),
            "sid": made.session_id,
            "generation": made.number,
            "csrf": csrf,
            "iat": made.issued_at,
            "exp": made.issued_at + lifetime,
            "jti": f"{made.session_id}.{made.number}.{kind}",
            **named,
        }


def _issuer() -> str:
    """Return the `iss` claim of the request's family: tokens of one family are not valid in another."""
    return f"speakr:{families.current().family.name}"


def _session_of(refresh_token: str, actor: Actor) -> int:
    try:
        claims = _claims(refresh_token, "refresh")
    except NotAuthenticated as error:
        raise Invalid(error.message, errors={"refresh_token": ["is not valid"]}) from error
    if claims["sub"] != str(actor.user_id):
        raise Invalid("The token is not valid.", errors={"refresh_token": ["is not valid"]})
    session_id: int = claims["sid"]
    return session_id


def _in_header(request: Request) -> str | None:
    """Return the access token in the header; None if there is none, or an API token."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    is_jwt = scheme.lower() == _BEARER and token.startswith("eyJ") and len(token.split(".")) == _PARTS
    return token if is_jwt else None


def _claims(token: str, kind: str) -> dict[str, Any]:
    """Return the claims of a token after checking its signature, expiry and type."""
    try:
        claims: dict[str, Any] = decode_token(token)
    except ExpiredSignatureError as error:
        raise NotAuthenticated("The token has expired.", code="expired_token") from error
    except (PyJWTError, JWTExtendedException) as error:
        raise NotAuthenticated("The token is not valid.", code="invalid_token") from error
    if claims["type"] != kind or claims.get("iss") != _issuer():
        raise NotAuthenticated("The token is not valid.", code="invalid_token")
    return claims
