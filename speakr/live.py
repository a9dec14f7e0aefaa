"""What is happening to a recording or a job right now: one Redis stream each, read from its start by late joiners.

Nothing here is a fact; the rows are. A lost stream costs a viewer some progress messages.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import orjson
import redis

_CHANNEL = "speakr:live"
_IDLE_SECONDS = 30.0
"""Seconds after which a subscription that is not needed ends."""

_RETRY_SECONDS = 1.0

_KEEP_SECONDS = 24 * 3600
_KEEP_SECONDS_OF_JOBS = 600
"""The text of a clip is not kept once the request is answered."""
_KEEP_MESSAGES = 20_000

Topic = int | str
"""What a stream is about: the id of a recording, or a name such as `job-7`."""


def of_job(job_id: int) -> Topic:
    """Return the topic of a job that is not about a recording."""
    return f"job-{job_id}"


@dataclass(frozen=True, slots=True)
class LiveMessage:
    """One message; `id` grows within a topic."""

    id: str
    kind: str
    data: dict[str, Any]


class LiveFeed(Protocol):
    """Publish and follow what happens to recordings and jobs."""

    def publish(self, topic: Topic, kind: str, data: dict[str, Any]) -> None:
        """Append a message; never raises, a viewer is not worth a job."""
        ...

    def read(self, topic: Topic, after: str, wait_seconds: float) -> Sequence[LiveMessage]:
        """Return the messages after this id, waiting for one if there is none yet."""
        ...

    def forget(self, topic: Topic) -> None:
        """Drop the messages of a topic, for example when a recording is deleted or transcribed again."""
        ...


class RedisLiveFeed:
    """Redis streams, and one channel that names the topics whose streams have grown.

    However many clients wait, a process waits for Redis over one connection.
    """

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection
        self._waiters = _Waiters(connection)

    @staticmethod
    def _key(topic: Topic) -> str:
        return f"speakr:live:{topic}"

    def publish(self, topic: Topic, kind: str, data: dict[str, Any]) -> None:
        """Append a message; never raises, a viewer is not worth a job."""
        key = self._key(topic)
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                pipe.xadd(
                    key, {"kind": kind, "data": orjson.dumps(data)}, maxlen=_KEEP_MESSAGES, approximate=True
                )
                pipe.expire(key, _KEEP_SECONDS_OF_JOBS if isinstance(topic, str) else _KEEP_SECONDS)
                pipe.publish(_CHANNEL, str(topic))
                pipe.execute()
        except redis.RedisError:
            return

    def read(self, topic: Topic, after: str, wait_seconds: float) -> Sequence[LiveMessage]:
        """Return the messages after this id, waiting for one if there is none yet."""
        with self._waiters.waiting_for(topic) as has_grown:
            found = self._read_now(topic, after)
            if found or not has_grown.wait(wait_seconds):
                return found
        return self._read_now(topic, after)

    def _read_now(self, topic: Topic, after: str) -> Sequence[LiveMessage]:
        answer = self._redis.xread({self._key(topic): after}, count=500)
        return [
            LiveMessage(message_id.decode(), fields[b"kind"].decode(), orjson.loads(fields[b"data"]))
            for message_id, fields in _only_stream(answer)
        ]

    def forget(self, topic: Topic) -> None:
        """Drop the messages of a topic, for example when a recording is deleted or transcribed again."""
        try:
            self._redis.delete(self._key(topic))
        except redis.RedisError:
            return


class _Waiters:
    """Wakes those who wait for a topic, from the one subscription of this process."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection
        self._lock = threading.Lock()
        self._events: dict[str, set[threading.Event]] = {}
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def waiting_for(self, topic: Topic) -> Iterator[threading.Event]:
        """Give an event that is set when the topic's stream grows."""
        event, name = threading.Event(), str(topic)
        with self._lock:
            self._events.setdefault(name, set()).add(event)
            if self._thread is None:
                self._thread = threading.Thread(target=self._listen, name="live-subscription", daemon=True)
                self._thread.start()
        try:
            yield event
        finally:
            with self._lock:
                events = self._events[name]
                events.remove(event)
                if not events:
                    del self._events[name]

    def _listen(self) -> None:
        """Listen until nothing has been waited for in a while; the next one who waits starts a new thread."""
        while True:
            try:
                with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:  # type: ignore[no-untyped-call]
                    subscription.subscribe(_CHANNEL)
                    self._wake_all()  # what was published before is in the streams
                    while self._is_needed():
                        message = subscription.get_message(timeout=_IDLE_SECONDS)
                        if message is not None:
                            self._wake(message["data"].decode())
                    return
            except redis.RedisError:
                time.sleep(_RETRY_SECONDS)
                if not self._is_needed():
                    return

    def _is_needed(self) -> bool:
        with self._lock:
            if not self._events:
                self._thread = None
            return bool(self._events)

    def _wake(self, name: str) -> None:
        with self._lock:
            for event in self._events.get(name, ()):
                event.set()

    def _wake_all(self) -> None:
        with self._lock:
            for event in set().union(*self._events.values()):
                event.set()


def _only_stream(answer: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    # RESP2 answers [[key, messages]], RESP3 {key: [messages]}.
    if not answer:
        return []
    if isinstance(answer, dict):
        (batches,) = answer.values()
        return [message for batch in batches for message in batch]
    return cast("list[tuple[bytes, dict[bytes, bytes]]]", answer[0][1])
