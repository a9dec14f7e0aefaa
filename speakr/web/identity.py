"""Who is asking, and may they use this route at all.

Every route says what it needs with `@needs(...)` or `@public`; one hook enforces it before the view
runs, so a route cannot forget to ask. Routes that say nothing are refused, and a test finds them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, current_app, g, request

from speakr.db import release
from speakr.domain.errors import Forbidden, NotAuthenticated
from speakr.domain.permissions import Actor, Scope
from speakr.services import tokens, users
from speakr.web.rate_limits import RateClass, count

View = TypeVar("View", bound=Callable[..., Any])

_BEARER = "Bearer "


@dataclass(frozen=True, slots=True)
class Access:
    """What a route asks of its callers."""

    scope: Scope | None
    rate: RateClass | None
    takes_password: bool = False
    is_public: bool = False


def needs(scope: Scope | None, rate: RateClass, *, takes_password: bool = False) -> Callable[[View], View]:
    """Declare the scope and the rate class of a view method; with `takes_password`, Basic will do too."""

    def mark(view: View) -> View:
        view.access = Access(scope, rate, takes_password)  # type: ignore[attr-defined] # a function takes attributes
        return view

    return mark


def public(view: View) -> View:
    """Declare that anybody may call this view method."""
    view.access = Access(None, None, is_public=True)  # type: ignore[attr-defined] # a function takes attributes
    return view


def handler_of(endpoint: str, method: str) -> Callable[..., Any]:
    """Return the function that answers a method of a routed endpoint."""
    view = current_app.view_functions[endpoint]
    view_class = getattr(view, "view_class", None)
    if view_class is not None:
        handler = getattr(view_class, method.lower(), None)
        if handler is None and method == "HEAD":
            handler = getattr(view_class, "get", None)
        view = handler or view
    return view


def access_of(endpoint: str, method: str) -> Access | None:
    """Return what a routed endpoint declares for a method."""
    return getattr(handler_of(endpoint, method), "access", None)


def actor() -> Actor:
    """Return who is asking; only in views that need somebody."""
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
    try:
        g.actor = _authenticate(access)
    finally:
        release()  # the body may take minutes to arrive; hold no connection meanwhile
    if access.rate is not None:
        count(access.rate)
    if access.scope is not None and not g.actor.may(access.scope):
        raise Forbidden(f"This token lacks the scope '{access.scope}'.", code="scope_missing")


def _authenticate(access: Access) -> Actor:
    """Look for a credential in the documented order; a wrong one is not followed by a second look."""
    token = _presented_token()
    if token is not None:
        try:
            return tokens.authenticate(token)
        except NotAuthenticated:
            # Only failures are counted, so strangers at the same address lock nobody's good token out.
            count(RateClass.BAD_TOKEN)
            raise
    if access.takes_password and request.authorization is not None and request.authorization.type == "basic":
        count(RateClass.PASSWORD)  # before the guess is checked, or guessing would be free
        return users.authenticate(request.authorization.username or "", request.authorization.password or "")
    raise NotAuthenticated("A token is required: send it as 'Authorization: Bearer <token>'.")


def _presented_token() -> str | None:
    header = request.headers.get("Authorization", "")
    if header.startswith(_BEARER):
        return header[len(_BEARER) :]
    for name in ("X-API-Token", "API-Token"):
        if name in request.headers:
            return request.headers[name]
    # Only for reading: a link that writes could be planted in anybody's page.
    if request.method in {"GET", "HEAD"} and "token" in request.args:
        return request.args["token"]
    return None


def undeclared(app: Flask) -> list[str]:
    """Return the routes and methods that declare no access; a test wants this empty."""
    with app.app_context():
        return [
            f"{method} {rule.rule}"
            for rule in app.url_map.iter_rules()
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
            if access_of(rule.endpoint, method) is None
        ]
