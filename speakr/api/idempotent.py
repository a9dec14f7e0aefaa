"""`@idempotent`: a POST that was sent twice with one `Idempotency-Key` happens once.

The key is held before the view runs. The answer is then stored by the same commit as the work: the units of
work that the view opens are joined with the one that completes the key.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from flask import Response, current_app, request

from speakr.db import one_commit, release, unit_of_work
from speakr.services import idempotency
from speakr.web.identity import actor
from speakr.web.json import json_response

View = TypeVar("View", bound=Callable[..., Any])

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"


def takes_key(view: View) -> View:
    """Note, for the API's description, that a view heeds the key in its own way."""
    view.takes_idempotency_key = True  # type: ignore[attr-defined] # a function takes attributes
    return view


def idempotent(view: View) -> View:
    """Make a POST view safe to repeat. Stands between `@needs` and `@blp.doc`; its answers are JSON or empty."""
    return _made_idempotent(view, idempotency.HOLD)


def idempotent_and_slow(view: View) -> View:
    """Do as `idempotent` does for a view that waits for minutes; if the process dies, so long is its key kept."""
    return _made_idempotent(view, idempotency.LONG_HOLD)


def _made_idempotent(view: View, lasting: timedelta) -> View:
    @functools.wraps(view)
    def once(*args: Any, **kwargs: Any) -> Any:
        key = request.headers.get(HEADER)
        if key is None:
            return view(*args, **kwargs)
        fingerprint = _fingerprint()
        with holding(key, f"POST {request.endpoint}", lasting) as held:
            if held.answer is not None:
                idempotency.check_same(held, fingerprint)
                return replay(held.answer)
            with one_commit():
                response = current_app.make_response(view(*args, **kwargs))
                with unit_of_work():
                    idempotency.complete(held, fingerprint, response.status_code, response.get_json())
            return response

    return takes_key(once)  # type: ignore[return-value] # it takes and gives what the view does


@contextmanager
def holding(key: str, operation: str, lasting: timedelta = idempotency.HOLD) -> Iterator[idempotency.Held]:
    """Hold the key for the length of the request; a request that fails lets it go."""
    with unit_of_work():
        held = idempotency.reserve(actor().user_id, key, operation, lasting)
    try:
        yield held
    except BaseException:
        if held.answer is None:
            release()
            with unit_of_work():
                idempotency.release_key(held)
        raise


def replay(answer: tuple[int, Any]) -> Response:
    """Give the stored answer again, and say that it is an old one."""
    status, body = answer
    response = current_app.response_class(status=status) if body is None else json_response(body, status)
    response.headers[REPLAYED] = "true"
    return response


def _fingerprint() -> str:
    """Tell requests apart. What the token may do belongs to it: an answer can hold a secret with that power."""
    request_key = (request.method, request.full_path, *sorted(actor().scopes))
    return hashlib.sha256(
        "\0".join(request_key).encode() + b"\0\0" + request.get_data(cache=True)
    ).hexdigest()
