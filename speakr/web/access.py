"""Access declarations: `@needs(...)` or `@public` above every view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, current_app

from speakr.domain.permissions import Scope

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Access:
    """What a route requires of its callers."""

    scope: Scope | None
    rate: str | None
    """A `RateClass`, or a rate class of the route's API family."""
    takes_password: bool = False
    is_public: bool = False


def needs(scope: Scope | None, rate: str | None, *, takes_password: bool = False) -> Callable[[View], View]:
    """Declare the scope and the rate class of a view; with `takes_password`, it accepts Basic too.

    rate: None for what players ask for many times a minute, such as ranges of a file; it is not counted.
    """

    def mark(view: View) -> View:
        view.access = Access(scope, rate, takes_password)  # type: ignore[attr-defined] # a function takes attributes
        return view

    return mark


def public(view: View) -> View:
    """Declare that a view needs no credential."""
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


def undeclared(app: Flask) -> list[str]:
    """Return the routes and methods that declare no access; a test wants this empty."""
    with app.app_context():
        return [
            f"{method} {rule.rule}"
            for rule in app.url_map.iter_rules()
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
            if access_of(rule.endpoint, method) is None
        ]
