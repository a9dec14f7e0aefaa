"""The interface of an authenticator."""

from __future__ import annotations

from typing import Protocol

from flask import Request

from speakr.domain.permissions import Actor


class Authenticator(Protocol):
    """Looks for one kind of credential in a request."""

    def authenticate(self, request: Request) -> Actor | None:
        """Return the user behind the credential, or None when the request has no credential of this kind.

        Raises:
            NotAuthenticated: there is a credential and it is wrong; no other authenticator is tried then.
            Forbidden: the credential is right, but this request may not use it (CSRF).

        """
        ...
