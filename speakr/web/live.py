"""Server-sent events (WHATWG HTML, section 9.2): live progress and segments of a recording."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
import redis
from flask import Response, stream_with_context

from speakr.backends import get_backends
from speakr.db import release
from speakr.web.open_streams import OpenStream

Answer = TypeVar("Answer")

_BEAT_SECONDS = 15.0
_WAIT_SECONDS = 15.0
_MAX_SECONDS = 3600.0
_STREAM_ID = re.compile(r"^\d{1,20}-\d{1,20}$")

FINAL_STATUSES = frozenset({"COMPLETED", "FAILED"})


BEGINNING = "0-0"
"""Before the first message of a recording."""


def _is_over(state: dict[str, Any]) -> bool:
    return state["status"] in FINAL_STATUSES


def _message(kind: str, data: dict[str, Any], message_id: str | None = None) -> bytes:
    head = f"id: {message_id}\n" if message_id else ""
    return f"{head}event: {kind}\ndata: ".encode() + orjson.dumps(data) + b"\n\n"


def stream(
    recording_id: int,
    last_event_id: str | None,
    snapshot: Callable[[], dict[str, Any] | None],
    may_see: Callable[[], bool],
    *,
    user_id: int,
) -> Response:
    """Answer with a stream of `status`, `progress` and `segment` events.

    It starts with a `status` event read from the database (`snapshot`; None once the recording is deleted), replays the
    events since `last_event_id` (or all), and follows. It ends when the recording is done, so a client that reconnects
    then learns that at once. `may_see` is checked again before each message: a share may end while a stream is open.
    """
    place = OpenStream(user_id)
    after = last_event_id if last_event_id and _STREAM_ID.match(last_event_id) else BEGINNING

    def keep() -> bool:
        place.renew()
        return True

    events = follow(recording_id, after, snapshot, may_see, keep=keep, is_over=_is_over)
    response = Response(
        stream_with_context(_written(events)),
        mimetype="text/event-stream",
    )
    response.call_on_close(place.close)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Accel-Buffering"] = "no"  # without this, nginx buffers the stream
    return response


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens to a recording. kind: `status`, `progress`, `segment`, `deleted`, or `beat` for a sign of life."""

    kind: str
    data: dict[str, Any]
    id: str | None = None


def follow(
    recording_id: int,
    after: str,
    snapshot: Callable[[], dict[str, Any] | None],
    may_see: Callable[[], bool],
    *,
    keep: Callable[[], bool],
    is_over: Callable[[dict[str, Any]], bool],
    wait_seconds: float = _WAIT_SECONDS,
) -> Iterator[Event]:
    """Yield the events of a recording after the message `after`, first its state, until it is over or deleted.

    keep: called at least every `wait_seconds`; the client is gone if it returns False.
    """
    began = beat = time.monotonic()
    while time.monotonic() - began < _MAX_SECONDS:
        state = _read(snapshot)
        if state is None:
            yield Event("deleted", {"id": recording_id})
            return
        yield Event("status", state)
        ends = is_over(state)
        # Follow the stream until it reports an end; read the rows again after a long silence.
        silent_since = time.monotonic()
        while True:
            if not keep():
                return
            messages = _wait(recording_id, after, 0.001 if ends else wait_seconds)
            if messages and not _read(may_see):
                break  # the snapshot shows that it is deleted
            for message in messages:
                after, silent_since = message.id, time.monotonic()
                yield Event(message.kind, message.data, message.id)
            if ends and not messages:
                return
            if (
                any(message.kind == "status" for message in messages)
                or time.monotonic() - silent_since > _BEAT_SECONDS
            ):
                break
            if time.monotonic() - beat > _BEAT_SECONDS:
                beat = time.monotonic()
                yield Event("beat", {})


def _written(events: Iterator[Event]) -> Iterator[bytes]:
    yield b"retry: 2000\n\n"
    for event in events:
        if event.kind == "beat":
            yield b": still here\n\n"
        else:
            yield _message(event.kind, event.data, event.id)


def _read(ask: Callable[[], Answer]) -> Answer:
    try:
        return ask()
    finally:
        release()


def _wait(recording_id: int, after: str, seconds: float) -> Any:
    try:
        return get_backends().live.read(recording_id, after, seconds)
    except redis.RedisError:
        # Without Redis there are no live events; the rows show the same a little later.
        time.sleep(min(seconds, 1.0))
        return ()
