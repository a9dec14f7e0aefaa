"""What is happening to a recording right now: one Redis stream each, read from its start by late joiners.

Nothing here is a fact; the rows are. A lost stream costs a viewer some progress messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import orjson
import redis

_KEEP_SECONDS = 24 * 3600
_KEEP_MESSAGES = 20_000


@dataclass(frozen=True, slots=True)
class LiveMessage:
    """One message; `id` grows within a recording."""

    id: str
    kind: str
    data: dict[str, Any]


class LiveFeed(Protocol):
    """Publish and follow what happens to recordings."""

    def publish(self, recording_id: int, kind: str, data: dict[str, Any]) -> None:
        """Append a message; never raises, a viewer is not worth a job."""
        ...

    def read(self, recording_id: int, after: str, wait_seconds: float) -> Sequence[LiveMessage]:
        """Return the messages after this id, waiting for one if there is none yet."""
        ...

    def forget(self, recording_id: int) -> None:
        """Drop a recording's messages when it is deleted or transcribed again."""
        ...


class RedisLiveFeed:
    """Redis streams."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    @staticmethod
    def _key(recording_id: int) -> str:
        return f"speakr:live:{recording_id}"

    def publish(self, recording_id: int, kind: str, data: dict[str, Any]) -> None:
        """Append a message; never raises, a viewer is not worth a job."""
        key = self._key(recording_id)
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                pipe.xadd(
                    key, {"kind": kind, "data": orjson.dumps(data)}, maxlen=_KEEP_MESSAGES, approximate=True
                )
                pipe.expire(key, _KEEP_SECONDS)
                pipe.execute()
        except redis.RedisError:
            return

    def read(self, recording_id: int, after: str, wait_seconds: float) -> Sequence[LiveMessage]:
        """Return the messages after this id, waiting for one if there is none yet."""
        answer = self._redis.xread(
            {self._key(recording_id): after}, count=500, block=max(1, round(wait_seconds * 1000))
        )
        return [
            LiveMessage(message_id.decode(), fields[b"kind"].decode(), orjson.loads(fields[b"data"]))
            for message_id, fields in _only_stream(answer)
        ]

    def forget(self, recording_id: int) -> None:
        """Drop a recording's messages when it is deleted or transcribed again."""
        try:
            self._redis.delete(self._key(recording_id))
        except redis.RedisError:
            return


def _only_stream(answer: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    # RESP2 answers [[key, messages]], RESP3 {key: [messages]}.
    if not answer:
        return []
    if isinstance(answer, dict):
        (batches,) = answer.values()
        return [message for batch in batches for message in batch]
    return cast("list[tuple[bytes, dict[bytes, bytes]]]", answer[0][1])
