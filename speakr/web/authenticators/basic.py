"""User name and password (Basic, RFC 7617)."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Request, g

from speakr.domain.permissions import Actor
from speakr.web.authenticators.passwords import check_password
from speakr.web.known_users import Credential, in_header


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicPassword:
    """Checks a user's name and password. Each check is slow on purpose and counts against the client's address."""

    on_declared_routes_only: bool = False
    """Only routes with `@needs(..., takes_password=True)` accept a password."""

    def authenticate(self, request: Request) -> Actor | None:
        """Check the password, if there is one."""
        if self.on_declared_routes_only and not g.access.takes_password:
            return None
        sent = request.authorization
        if sent is None or sent.type != "basic":
            return None
        return check_password(sent.username or "", sent.password or "").actor

    def credential(self, request: Request) -> Credential:
        """Return name and password as they were sent."""
        return in_header("Authorization", request.headers.get("Authorization", ""))
