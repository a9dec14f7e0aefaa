"""The interface of an authenticator."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from flask import Request

from speakr.domain.permissions import Actor
from speakr.web.known_users import Credential


class Authenticator(Protocol):
    """Looks for one kind of credential in a request."""

    def authenticate(self, request: Request) -> Actor | None:
        """Return the user behind the credential, or None when the request has no credential of this kind.

        Raises:
            NotAuthenticated: there is a credential and it is wrong; no other authenticator is tried then.
            Forbidden: the credential is right, but this request may not use it (CSRF).

        """
        ...


@runtime_checkable
class NamesCredential(Protocol):
    """An authenticator that can say which credential it accepted, so that later requests with it are known."""

    def credential(self, request: Request) -> Credential | None:
        """Return the credential that `authenticate` has just accepted."""
        ...
