"""API tokens: in the `Authorization` header, in a header of their own, or in the query of a GET."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Request

from speakr.domain.permissions import Actor
from speakr.services.accounts import tokens

_BEARER = "Bearer "


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """Accepts an API token from the first place that has one."""

    takes_bearer: bool = True
    """`Authorization: Bearer <token>`."""
    headers: tuple[str, ...] = ("X-API-Token", "API-Token")
    query_parameter: str | None = "token"
    """For GET and HEAD only: any web page could contain a link that writes."""

    def authenticate(self, request: Request) -> Actor | None:
        """Check the token, if there is one."""
        token = self._presented(request)
        return None if token is None else tokens.authenticate(token)

    def _presented(self, request: Request) -> str | None:
        header = request.headers.get("Authorization", "")
        if self.takes_bearer and header.startswith(_BEARER):
            return header[len(_BEARER) :]
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


X_API_KEY = ApiToken(takes_bearer=False, headers=("X-API-Key",), query_parameter=None)
"""An API token in the header `X-API-Key`, as in many other APIs."""
