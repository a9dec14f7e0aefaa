"""Rate limits: requests per minute and token, in the documented classes, and the headers that report them.

The headers are those of draft-ietf-httpapi-ratelimit-headers (`RateLimit`, `RateLimit-Policy`), those of its
earlier versions (`RateLimit-Limit` and so on), and the `X-RateLimit-*` that older clients know.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from flask import Flask, Response, current_app, g, request

from speakr.domain.errors import RateLimited
from speakr.settings import Settings
from speakr.web import families
from speakr.web.access import access_of
from speakr.web.account_guesses import AccountGuesses
from speakr.web.counting import WINDOW_SECONDS, Counter, Window, connect
from speakr.web.networks import network_of

_KEY = "speakr_rate_limits"


class RateClass(StrEnum):
    """Classes of requests, each counted separately."""

    STATS = "stats"
    STATUS = "status"
    GET = "get"
    WRITE = "write"
    PROCESSING = "processing"
    UPLOAD = "upload"
    BATCH = "batch"
    PASSWORD = "password"  # noqa: S105 - a class of requests: guesses at a password, per address
    REGISTRATION = "registration"  # new accounts, per address
    BAD_TOKEN = "bad_token"  # noqa: S105 - wrong tokens, per address


TOKENS_PER_USER = 3
"""How many times the limit of one token all credentials of a user have together, so that further tokens do not help."""

_PER_ADDRESS: frozenset[str] = frozenset({RateClass.PASSWORD, RateClass.REGISTRATION, RateClass.BAD_TOKEN})


def limits_of(settings: Settings) -> dict[str, int]:
    """Return the requests per minute that each class allows."""
    return {rate: getattr(settings, f"rate_limit_{rate.value}") for rate in RateClass}


@dataclass(frozen=True, slots=True)
class _Limits:
    counter: Counter
    per_minute: Mapping[str, int]
    guesses: AccountGuesses


def init_app(app: Flask, settings: Settings) -> None:
    """Set up counting, unless the settings turn it off. Call it after all routes are registered.

    Raises:
        ValueError: a route uses a rate class that neither `RateClass` nor its API family has.

    """
    with app.app_context():
        for rule in app.url_map.iter_rules():
            known = {*RateClass, *families.of_path(rule.rule).per_minute}
            for method in (rule.methods or set()) - {"OPTIONS"}:
                access = access_of(rule.endpoint, method)
                if access is not None and access.rate is not None and access.rate not in known:
                    raise ValueError(f"{method} {rule.rule}: there is no rate class {access.rate!r}")
    if settings.rate_limits_enabled:
        app.extensions[_KEY] = _Limits(
            Counter(settings.redis_url), limits_of(settings), AccountGuesses(connect(settings.redis_url))
        )


def count(rate: str) -> None:
    """Count this request in a `RateClass`, or in a class that its API family defines.

    Raises:
        RateLimited: the limit of the class is exceeded.

    """
    limits: _Limits | None = current_app.extensions.get(_KEY)
    if limits is None:
        return
    mounted = families.current()
    # Guesses count for all families together, or each further API would allow further guesses.
    is_own = rate in mounted.per_minute and rate not in _PER_ADDRESS
    limit = mounted.per_minute[rate] if is_own else limits.per_minute[rate]
    key = f"{mounted.family.name}.{rate}" if is_own else rate
    bounds = _bounds(rate, limit)
    windows = limits.counter.hit(*(f"speakr:rate:{key}:{who}" for who in bounds))
    # The bound that leaves the fewest requests is the one to report.
    limit, window = min(zip(bounds.values(), windows, strict=True), key=lambda pair: pair[0] - pair[1].count)
    seconds_left = max(1, math.ceil(window.seconds_left))
    g.rate_limit_headers = _headers(rate, limit, window, seconds_left)
    if window.count > limit:
        raise RateLimited(
            f"More than {limit} requests of the class '{rate}' in a minute. Try again in {seconds_left} s.",
            retry_after_seconds=seconds_left,
        )


def count_guess(username: str) -> None:
    """Count a guess at a password: against the client's address, and against the account.

    Raises:
        RateLimited: too many guesses from this address in a minute, or at this account in an hour.

    """
    limits: _Limits | None = current_app.extensions.get(_KEY)
    if limits is None:
        return
    network = network_of(request.remote_addr or "")
    # The account first: what it refuses does not count against the address.
    limits.guesses.admit(username, network)
    try:
        count(RateClass.PASSWORD)
    except RateLimited:
        limits.guesses.withdraw(username, network)
        raise


def guessed_right(username: str) -> None:
    """Remember that the password was right, so that this address is known for the account."""
    limits: _Limits | None = current_app.extensions.get(_KEY)
    if limits is not None:
        limits.guesses.succeeded(username, network_of(request.remote_addr or ""))


def _bounds(rate: str, limit: int) -> dict[str, int]:
    """Return who is counted, and the limit of each."""
    known = g.get("actor")
    if rate in _PER_ADDRESS or known is None:
        return {f"address:{network_of(request.remote_addr or '')}": limit}
    if known.token_id is not None:
        credential = f"token:{known.token_id}"
    elif known.session_id is not None:
        credential = f"session:{known.session_id}"
    else:  # a password, or a signed address
        credential = f"login:{known.user_id}"
    return {credential: limit, f"user:{known.user_id}": limit * TOKENS_PER_USER}


def _headers(rate: str, limit: int, window: Window, seconds_left: int) -> dict[str, str]:
    remaining = max(0, limit - window.count)
    return {
        "RateLimit-Policy": f'"{rate}";q={limit};w={WINDOW_SECONDS}',
        "RateLimit": f'"{rate}";r={remaining};t={seconds_left}',
        "RateLimit-Limit": str(limit),
        "RateLimit-Remaining": str(remaining),
        "RateLimit-Reset": str(seconds_left),
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(math.ceil(time.time() + window.seconds_left)),
    }


def add_headers(response: Response) -> None:
    """Add the headers that report the remaining requests."""
    response.headers.extend(g.get("rate_limit_headers", {}))
