"""API tokens: in the `Authorization` header, in a header of their own, or in the query of a GET.

With the scheme Basic the token is the password, for clients that know no other scheme (`curl -u x:$TOKEN`); the user
name is ignored.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Request, g

from speakr.domain.permissions import Actor
from speakr.services.accounts import tokens
from speakr.web import families
from speakr.web.authenticators.basic import BasicPassword

_BEARER = "bearer"
_MIN_TOKEN_LENGTH = 32
"""Shorter passwords are no tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """Accepts an API token from the first place that has one."""

    takes_bearer: bool = True
    """`Authorization: Bearer <token>`, and the password of `Authorization: Basic`."""
    headers: tuple[str, ...] = ("X-API-Token", "API-Token")
    query_parameter: str | None = "token"
    """For GET and HEAD only: any web page could contain a link that writes."""

    def authenticate(self, request: Request) -> Actor | None:
        """Check the token, if there is one."""
        token = self._presented(request)
        if token is not None:
            return tokens.authenticate(token)
        password = self._basic_password(request)
        if password is None:
            return None
        if _takes_passwords() and not tokens.exists(password):
            return None  # another authenticator compares it with the user's password
        return tokens.authenticate(password)

    def _basic_password(self, request: Request) -> str | None:
        sent = request.authorization if self.takes_bearer else None
        if sent is None or sent.type != "basic" or len(sent.password or "") < _MIN_TOKEN_LENGTH:
            return None
        return sent.password

    def _presented(self, request: Request) -> str | None:
        scheme, separator, token = request.headers.get("Authorization", "").partition(" ")
        if (
            self.takes_bearer and separator and scheme.lower() == _BEARER
        ):  # RFC 9110, section 11.1: in any case
            return token
        for name in self.headers:
            if name in request.headers:
                return request.headers[name]
        if (
            self.query_parameter is not None
            and request.method in {"GET", "HEAD"}
            and self.query_parameter in request.args
        ):
            return request.args[self.query_parameter]
        return None


def _takes_passwords() -> bool:
    """Tell whether this route accepts the user's password, too."""
    return any(
        isinstance(each, BasicPassword) and (g.access.takes_password or not each.on_declared_routes_only)
        for each in families.current().family.authenticators
    )


X_API_KEY = ApiToken(takes_bearer=False, headers=("X-API-Key",), query_parameter=None)
"""An API token in the header `X-API-Key`, as in many other APIs."""
