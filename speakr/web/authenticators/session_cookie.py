"""Login sessions of browsers: a cookie that scripts cannot read, and a CSRF token beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from flask import Request, Response

from speakr.db import unit_of_work
from speakr.domain.errors import Forbidden
from speakr.domain.permissions import Actor
from speakr.services.accounts import sessions
from speakr.services.accounts.key_derivation import is_same, keyed_digest
from speakr.services.accounts.users import CheckedPassword
from speakr.web import families
from speakr.web.browsers import SAFE_METHODS, clear_cookie, require_own_page, set_cookie
from speakr.web.known_users import Credential, in_cookie

CSRF_HEADER = "X-CSRF-Token"

_PURPOSE = "csrf of sessions"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCookie:
    """Accepts the cookie of a session of this family. Unsafe methods need the session's CSRF token as well."""

    cookie: str = "speakr_session"
    lifetime: timedelta = timedelta(days=14)
    """From the login on; it is not extended."""
    family: str | None = None
    """Name of the API family whose sessions are accepted; None: that of the request."""
    path: str | None = None
    """Where browsers send the cookie; None: below the prefix of the family that set it."""

    def authenticate(self, request: Request) -> Actor | None:
        """Check the cookie, if there is one, and that a page of an allowed origin sent the request."""
        secret = request.cookies.get(self.cookie)
        if not secret:
            return None
        actor = sessions.by_secret(secret, self._family())
        if request.method not in SAFE_METHODS:
            require_own_page(request)
            require_csrf_token(request, self.csrf_token(secret))
        return actor

    def credential(self, request: Request) -> Credential:
        """Return the cookie."""
        return in_cookie(self.cookie, request.cookies.get(self.cookie, ""))

    def log_in(self, checked: CheckedPassword, response: Response) -> str:
        """Start a session, set its cookie, and return its CSRF token for the page."""
        with unit_of_work():
            secret = sessions.start_with_secret(
                checked.actor.user_id, checked.password_hash, self._family(), self.lifetime
            )
        set_cookie(response, self.cookie, secret, self.lifetime, path=self.path)
        return self.csrf_token(secret)

    def log_out(self, actor: Actor, response: Response, *, everywhere: bool = False) -> None:
        """End this session, or all of the user's, and delete the cookie."""
        with unit_of_work():
            if everywhere:
                sessions.end_all(actor.user_id)
            elif actor.session_id is not None:
                sessions.end(actor.session_id)
        clear_cookie(response, self.cookie, path=self.path)

    def csrf_token(self, secret: str) -> str:
        """Return the CSRF token of a session: 64 hexadecimal digits, the same for its whole life."""
        return keyed_digest(_PURPOSE, secret)

    def _family(self) -> str:
        return self.family or families.current().family.name


def require_csrf_token(request: Request, expected: str) -> None:
    """Refuse a request without the right CSRF token.

    Raises:
        Forbidden: the header is missing or has another value (code `csrf_failed`).

    """
    if not is_same(request.headers.get(CSRF_HEADER, ""), expected):
        raise Forbidden(f"The header {CSRF_HEADER} is missing or wrong.", code="csrf_failed")
