"""How often: requests per minute and token, in the documented classes.

Counted in Redis; while Redis is away each process counts for itself rather than turning people away.
The `limits` package does the counting: its Flask wrapper ties limits to view functions, ours belong to
the declared access of a route and are counted after the caller is known.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum

import limits
import redis
from flask import Flask, Response, current_app, g, request
from limits.errors import StorageError
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from speakr.domain.errors import SpeakrError

_KEY = "speakr_rate_limits"


class RateClass(StrEnum):
    """Documented classes of requests."""

    STATS = "stats"
    GET = "get"
    WRITE = "write"
    PROCESSING = "processing"
    BATCH = "batch"
    PASSWORD = "password"  # noqa: S105 - a class of requests: guesses at a password, per address


PER_MINUTE: dict[RateClass, int] = {
    RateClass.STATS: 60,
    RateClass.GET: 100,
    RateClass.WRITE: 30,
    RateClass.PROCESSING: 10,
    RateClass.BATCH: 10,
    RateClass.PASSWORD: 5,
}

_ITEMS = {
    rate: limits.RateLimitItemPerMinute(amount, namespace="speakr-limit")
    for rate, amount in PER_MINUTE.items()
}


class RateLimited(SpeakrError):
    """One request too many; `retry_after_seconds` is when the window ends."""

    code = "rate_limited"

    def __init__(self, rate: RateClass, retry_after_seconds: int) -> None:
        super().__init__(
            f"More than {PER_MINUTE[rate]} {rate.value} requests in a minute. "
            f"Try again in {retry_after_seconds} s."
        )
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class _Limiters:
    shared: FixedWindowRateLimiter
    fallback: FixedWindowRateLimiter


def init_app(app: Flask, redis_url: str, *, enabled: bool) -> None:
    """Prepare counting; with `enabled` false nothing is counted."""
    if enabled:
        url = redis_url.replace("unix://", "redis+unix://", 1)
        shared = storage_from_string(url, socket_connect_timeout=1.0, socket_timeout=1.0)
        app.extensions[_KEY] = _Limiters(
            FixedWindowRateLimiter(shared), FixedWindowRateLimiter(MemoryStorage())
        )


def _who() -> str:
    known = getattr(g, "actor", None)
    if known is None or known.token_id is None:
        return f"address:{request.remote_addr}"
    return f"token:{known.token_id}"


def count(rate: RateClass) -> None:
    """Count this request. Raises `RateLimited` when it is one too many."""
    limiters: _Limiters | None = current_app.extensions.get(_KEY)
    if limiters is None:
        return
    try:
        _count_with(limiters.shared, rate)
    except (StorageError, redis.RedisError):
        _count_with(limiters.fallback, rate)


def _count_with(limiter: FixedWindowRateLimiter, rate: RateClass) -> None:
    item, who = _ITEMS[rate], _who()
    is_allowed = limiter.hit(item, rate.value, who)
    window = limiter.get_window_stats(item, rate.value, who)
    g.rate_limit_headers = {
        "X-RateLimit-Limit": str(item.amount),
        "X-RateLimit-Remaining": str(max(0, window.remaining)),
        "X-RateLimit-Reset": str(round(window.reset_time)),
    }
    if not is_allowed:
        raise RateLimited(rate, max(1, round(window.reset_time - time.time())))


def add_headers(response: Response) -> Response:
    """Tell the caller what is left."""
    response.headers.extend(getattr(g, "rate_limit_headers", {}))
    return response
