"""Requests without a credential, from clients that cannot send one: they act as the user that the operator names."""

from __future__ import annotations

from flask import Request

from speakr.backends import get_backends
from speakr.domain.permissions import Actor
from speakr.services.accounts import users
from speakr.web.browsers import require_known_host, require_own_page


class FixedOwner:
    """Authenticates as SPEAKR_UNAUTHENTICATED_USER. Last in a family; without the setting it finds no user."""

    def authenticate(self, request: Request) -> Actor | None:
        """Return the configured user, without administrator permissions.

        Raises:
            Forbidden: the request comes from a page of another origin; any page can reach a server in its reader's
                network.

        """
        username = get_backends().settings.unauthenticated_user
        if not username:
            return None
        require_known_host(request)
        require_own_page(request)
        return users.without_credential(username)
