"""`@if_match(hold)`: write only to the version that the caller has read (RFC 9110, section 13.1.1)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Response, current_app, request

from speakr.db import one_commit, unit_of_work
from speakr.domain.permissions import Actor
from speakr.web import conditional
from speakr.web.identity import actor

View = TypeVar("View", bound=Callable[..., Any])


def if_match(hold: Callable[[Actor, int], None]) -> Callable[[View], View]:
    """Make a PUT or PATCH view support `If-Match`, and answer with the new `ETag`. Stands above `@blp.doc`.

    The version is that of GET at the same address: the view's own `get` is called before and after the write, in the
    same transaction. `hold` takes the actor and the id in the path, and locks the row against other writers.
    """

    def wrap(view: View) -> View:
        @functools.wraps(view)
        def checked(self: Any, *args: Any, **ids: int) -> Any:
            request.get_data(cache=True)  # a client that sends slowly must not hold the lock meanwhile
            with one_commit():
                if conditional.brings_condition():
                    with unit_of_work():
                        hold(actor(), *ids.values())
                        conditional.require_match(_current(self, ids))
                response: Response = current_app.make_response(view(self, *args, **ids))
                with unit_of_work():
                    response.set_etag(conditional.tag_of(_current(self, ids).get_data()))
            return response

        checked.takes_if_match = True  # type: ignore[attr-defined] # a function takes attributes
        return checked  # type: ignore[return-value] # it takes and gives what the view does

    return wrap


def _current(view: Any, ids: dict[str, int]) -> Response:
    return current_app.make_response(view.get(**ids))
