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
from speakr.web.known_users import QUERY_PARAMETER, Credential, in_header, in_query

_BEARER = "bearer"
_MIN_TOKEN_LENGTH = 32
"""Shorter passwords are no tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """Accepts an API token from the first place that has one."""

    takes_bearer: bool = True
    """`Authorization: Bearer <token>`, and the password of `Authorization: Basic`."""
    headers: tuple[str, ...] = ("X-API-Token", "API-Token")
    query_parameter: str | None = QUERY_PARAMETER
    """For GET and HEAD only: any web page could contain a link that writes."""

    def authenticate(self, request: Request) -> Actor | None:
        """Check the token, if there is one."""
        presented = self._presented(request)
        if presented is not None:
            return tokens.authenticate(presented[0])
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

    def credential(self, request: Request) -> Credential | None:
        """Return the token and its place."""
        presented = self._presented(request)
        if presented is not None:
            return presented[1]
        return in_header("Authorization", request.headers.get("Authorization", ""))

    def _presented(self, request: Request) -> tuple[str, Credential] | None:
        header = request.headers.get("Authorization", "")
        scheme, separator, token = header.partition(" ")
        if (
            self.takes_bearer and separator and scheme.lower() == _BEARER
        ):  # RFC 9110, section 11.1: in any case
            return token, in_header("Authorization", header)
        for name in self.headers:
            if name in request.headers:
                return request.headers[name], in_header(name, request.headers[name])
        if (
            self.query_parameter is not None
            and request.method in {"GET", "HEAD"}
            and self.query_parameter in request.args
        ):
            token = request.args[self.query_parameter]
            return token, in_query(token)
        return None


def _takes_passwords() -> bool:
    """Tell whether this route accepts the user's password, too."""
    return any(
        isinstance(each, BasicPassword) and (g.access.takes_password or not each.on_declared_routes_only)
        for each in families.current().family.authenticators
    )


X_API_KEY = ApiToken(takes_bearer=False, headers=("X-API-Key",), query_parameter=None)
"""An API token in the header `X-API-Key`, as in many other APIs."""
