"""What connectors remember about their engines, in Redis. Without Redis nothing is remembered, and learned again."""

from __future__ import annotations

import contextlib
from typing import Final, cast

import redis

from speakr.backends import get_backends

_PREFIX: Final = "speakr:engine:memory:"
_MAX_VALUE_LENGTH: Final = 1_000


def recall(name: str) -> str | None:
    """Return what is remembered under a name."""
    with contextlib.suppress(redis.RedisError):
        kept = cast("bytes | None", get_backends().memory.get(_PREFIX + name))
        return None if kept is None else kept.decode("utf-8", "replace")
    return None


def remember(name: str, value: str, seconds: float) -> None:
    """Remember a text for so many seconds."""
    with contextlib.suppress(redis.RedisError):
        get_backends().memory.set(_PREFIX + name, value[:_MAX_VALUE_LENGTH], px=round(seconds * 1000))
