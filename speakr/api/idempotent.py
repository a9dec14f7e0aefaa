"""`@idempotent`: a POST that is sent twice with the same `Idempotency-Key` has its effect once.

The key is reserved before the view runs. The commit of the view's work also stores the response: the units of work that
the view opens are joined with the one that completes the key.
"""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from flask import Response, current_app, g, request

from speakr import conflicts
from speakr.db import one_commit, release, separate_unit_of_work, unit_of_work
from speakr.services.system import idempotency
from speakr.web import repeats
from speakr.web.identity import actor
from speakr.web.json import json_response

View = TypeVar("View", bound=Callable[..., Any])

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
_PROLONG_EVERY_SECONDS = 10.0
"""Seconds, well within `idempotency.HOLD`, however slowly the bytes arrive."""


def idempotent(view: View) -> View:
    """Make a POST view idempotent. Stands between `@needs` and `@blp.doc`; its responses are JSON or empty."""
    return _made_idempotent(view)


def idempotent_and_slow(view: View) -> View:
    """Do as `idempotent` does, for a view that takes minutes; if the process dies, the key stays reserved as long."""
    return _made_idempotent(view, lasting=idempotency.LONG_HOLD)


def idempotent_stream(operation: str) -> Callable[[View], View]:
    """Do as `idempotent` does, for a view that reads its body itself, as a stream.

    The view calls `keep_key` while bytes arrive, and `identify` as soon as it knows the fingerprint of its request.
    """
    return lambda view: _made_idempotent(view, operation=operation, is_streamed=True)


@dataclass(slots=True)
class _Current:
    """The key of the current request."""

    held: idempotency.Held
    fingerprint: str = ""
    prolonged_at: float = field(default_factory=time.monotonic)


class _AnsweredBefore(Exception):
    """An earlier request has done the work of this one."""


def keep_key() -> None:
    """Extend the reservation of the request's key, if it has one. Cheap; for bodies that arrive slowly."""
    current: _Current | None = g.get("idempotency")
    if current is None or time.monotonic() - current.prolonged_at < _PROLONG_EVERY_SECONDS:
        return
    current.prolonged_at = time.monotonic()
    with separate_unit_of_work():
        idempotency.prolong(current.held)


def identify(fingerprint: str) -> None:
    """Set the fingerprint of this request. If its work was done before, the view ends here."""
    current: _Current | None = g.get("idempotency")
    if current is None:
        return
    current.fingerprint = fingerprint
    if current.held.answer is not None:
        idempotency.check_same(current.held, fingerprint)
        raise _AnsweredBefore


def _made_idempotent(
    view: View,
    *,
    operation: str | None = None,
    lasting: timedelta = idempotency.HOLD,
    is_streamed: bool = False,
) -> View:
    @functools.wraps(view)
    def once(*args: Any, **kwargs: Any) -> Any:
        key = request.headers.get(HEADER)
        if key is None:
            return view(*args, **kwargs)
        fingerprint = None if is_streamed else _fingerprint()
        with holding(key, operation or f"POST {request.endpoint}", lasting) as held:
            current = g.idempotency = _Current(held)
            try:
                if fingerprint is not None:
                    identify(fingerprint)
                return conflicts.repeat(
                    lambda: _work(view, current, args, kwargs), may_repeat=repeats.is_body_kept
                )
            except _AnsweredBefore:
                return replay(held.answer or (0, None))

    once.takes_idempotency_key = True  # type: ignore[attr-defined] # a function takes attributes
    return once  # type: ignore[return-value] # it takes and gives what the view does


def _work(view: View, current: _Current, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Response:
    """Run the view, and store its response in the commit of its work."""
    with one_commit():
        response = current_app.make_response(view(*args, **kwargs))
        with unit_of_work():
            idempotency.complete(current.held, current.fingerprint, response.status_code, response.get_json())
    return response


@contextmanager
def holding(key: str, operation: str, lasting: timedelta = idempotency.HOLD) -> Iterator[idempotency.Held]:
    """Reserve the key for the duration of the request; a failed request releases it."""
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
    """Return the stored response, marked as a replay."""
    status, body = answer
    response = current_app.response_class(status=status) if body is None else json_response(body, status)
    response.headers[REPLAYED] = "true"
    return response


def _fingerprint() -> str:
    """Return the fingerprint of a request. It includes the token's scopes: a response may contain a secret with these."""
    request_key = (request.method, request.full_path, *sorted(actor().scopes))
    return hashlib.sha256(
        "\0".join(request_key).encode() + b"\0\0" + request.get_data(cache=True)
    ).hexdigest()
