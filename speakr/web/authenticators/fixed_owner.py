"""Requests without a credential, from clients that cannot send one: they act as the user that the operator names."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Request

from speakr.backends import get_backends
from speakr.domain.errors import Forbidden
from speakr.domain.permissions import Actor
from speakr.services.accounts import users
from speakr.web.browsers import require_known_host, require_own_page
from speakr.web.cors import CorsPolicy, origins_of


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedOwner:
    """Authenticates as SPEAKR_UNAUTHENTICATED_USER. Last in a family; without the setting it finds no user."""

    is_usual: bool = False
    """The family's clients send no credential: without the setting they get 403 and the reason, not 401."""

    def authenticate(self, request: Request) -> Actor | None:
        """Return the configured user, without administrator permissions.

        Raises:
            Forbidden: the request comes from a page of another origin that SPEAKR_CORS_ORIGINS does not name; any
                page can reach a server in its reader's network.

        """
        settings = get_backends().settings
        username = settings.unauthenticated_user
        if not username:
            if self.is_usual:
                raise Forbidden(
                    "Requests without a token are turned off: send an API token, or let the operator set "
                    "SPEAKR_UNAUTHENTICATED_USER.",
                    code="token_needed",
                )
            return None
        require_known_host(request)
        # The family's own CORS policy may let any page read responses; that does not let it act as this user.
        if not {"*", request.headers.get("Origin")} & origins_of(CorsPolicy(), settings):
            require_own_page(request)
        return users.without_credential(username)
