"""Authentication and access control of every request.

Every route declares what it needs (`web/access.py`); one hook enforces it before the view runs, so no route can omit
the check. Routes that declare nothing are refused, and a test finds them.
"""

from __future__ import annotations

from flask import g, request

from speakr import offload
from speakr.db import release
from speakr.domain.errors import Forbidden, NotAuthenticated
from speakr.domain.permissions import Actor
from speakr.web import families, known_users
from speakr.web.access import access_of, needs, public
from speakr.web.authenticators.base import NamesCredential
from speakr.web.rate_limits import RateClass, count

__all__ = ["actor", "admit", "needs", "public"]

_COUNTED_BEFORE = "wrong_password"
"""Code of a refused password, whose authenticator counts each guess before checking it."""


def actor() -> Actor:
    """Return the authenticated user; only in views that need a credential."""
    found: Actor = g.actor
    return found


def admit() -> None:
    """Authenticate the caller, count the request, and refuse it if not allowed. Called before every routed request."""
    if request.endpoint is None or request.method == "OPTIONS":
        return
    access = access_of(request.endpoint, request.method)
    if access is None:
        # A view that declares nothing is a bug: refuse the request.
        raise Forbidden("This route declares no access.")
    if access.is_public:
        return
    g.access = access
    try:
        g.actor = _authenticate(families.current().family)
        offload.caller.set(g.actor.user_id)
    finally:
        release()  # the body may take minutes to arrive; occupy no connection meanwhile
    if access.rate is not None:
        count(access.rate)
    if access.scope is not None and not g.actor.may(access.scope):
        raise Forbidden(f"This token lacks the scope '{access.scope}'.", code="scope_missing")


def _authenticate(family: families.ApiFamily) -> Actor:
    """Look for a credential in the family's order; stop at the first one, right or wrong."""
    for authenticator in family.authenticators:
        try:
            found = authenticator.authenticate(request)
        except NotAuthenticated as error:
            # Only failures count, so other clients at the same address cannot lock out a valid credential.
            if error.slug != _COUNTED_BEFORE:
                count(RateClass.BAD_TOKEN)
            raise
        if found is not None:
            credential = (
                authenticator.credential(request) if isinstance(authenticator, NamesCredential) else None
            )
            if credential is not None:
                known_users.remember(credential, found.user_id)
            return found
    raise NotAuthenticated(family.credential_hint)
