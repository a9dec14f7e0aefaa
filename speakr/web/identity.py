"""Who is asking, and may they use this route at all.

Every route declares what it needs (`web/access.py`); one hook enforces it before the view runs, so a route
cannot forget to ask. Routes that declare nothing are refused, and a test finds them.
"""

from __future__ import annotations

from flask import g, request

from speakr.db import release
from speakr.domain.errors import Forbidden, NotAuthenticated
from speakr.domain.permissions import Actor
from speakr.web import families
from speakr.web.access import access_of, needs, public
from speakr.web.rate_limits import RateClass, count

__all__ = ["actor", "admit", "needs", "public"]

_COUNTED_BEFORE = "wrong_password"
"""The code of a refused password: its authenticator counts each guess before it checks it."""


def actor() -> Actor:
    """Return who is asking; only in views that need a credential."""
    found: Actor = g.actor
    return found


def admit() -> None:
    """Find out who asks, count the request, and refuse those who may not. Run before every routed request."""
    if request.endpoint is None or request.method == "OPTIONS":
        return
    access = access_of(request.endpoint, request.method)
    if access is None:
        # A view that declares nothing is a mistake of ours; be safe and say no.
        raise Forbidden("This route is not open to anybody.")
    if access.is_public:
        return
    g.access = access
    try:
        g.actor = _authenticate(families.current().family)
    finally:
        release()  # the body may take minutes to arrive; hold no connection meanwhile
    if access.rate is not None:
        count(access.rate)
    if access.scope is not None and not g.actor.may(access.scope):
        raise Forbidden(f"This token lacks the scope '{access.scope}'.", code="scope_missing")


def _authenticate(family: families.ApiFamily) -> Actor:
    """Look for a credential in the family's order; a wrong one is not followed by a second look."""
    for authenticator in family.authenticators:
        try:
            found = authenticator.authenticate(request)
        except NotAuthenticated as error:
            # Only failures are counted, so strangers at the same address lock no good credential out.
            if error.slug != _COUNTED_BEFORE:
                count(RateClass.BAD_TOKEN)
            raise
        if found is not None:
            return found
    raise NotAuthenticated(family.credential_hint)
