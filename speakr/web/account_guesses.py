"""Count guesses at the password of one account, whatever addresses they come from.

After `MAX_GUESSES` in an hour, addresses that are not known for the account may try once a minute together. Known is an
address from which a login succeeded within the last 30 days, so a stranger cannot lock out the owner; sessions and tokens
are not affected. Names that belong to no account are counted in the same way, so a refusal reveals nothing.
"""

from __future__ import annotations

import hashlib
import math
from typing import Final

import redis
import structlog

from speakr.domain.errors import RateLimited
from speakr.telemetry.log_throttle import LogThrottle

logger = structlog.get_logger(__name__)

MAX_GUESSES: Final = 10
WINDOW_SECONDS: Final = 3600
PAUSE_SECONDS: Final = 60
"""Seconds between two guesses from unknown addresses once there were `MAX_GUESSES`."""
KNOWN_SECONDS: Final = 30 * 24 * 3600

_ADMIT: Final = """
local count = redis.call('INCR', KEYS[1])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
if count <= tonumber(ARGV[1]) or redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
if redis.call('SET', KEYS[2], 1, 'NX', 'PX', ARGV[3]) then return 0 end
return redis.call('PTTL', KEYS[2])
"""
"""Returns 0, or the milliseconds until the next guess is admitted. Guesses count before they are checked."""

_UNCOUNT: Final = """
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('DECR', KEYS[1]) end
"""
"""A counter that has expired meanwhile is not made anew: it would never expire."""


class AccountGuesses:
    """The guesses at all accounts, in Redis. While it is away, only the limit per address holds."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection
        self._admit = connection.register_script(_ADMIT)
        self._uncount = connection.register_script(_UNCOUNT)
        self._log_throttle = LogThrottle()

    def admit(self, username: str, network: str) -> None:
        """Count a guess.

        Raises:
            RateLimited: there were too many for this account, and the address is not known for it.

        """
        guesses, turn, known = _keys(username, network)
        try:
            milliseconds = self._admit(
                keys=[guesses, turn, known], args=[MAX_GUESSES, WINDOW_SECONDS * 1000, PAUSE_SECONDS * 1000]
            )
        except redis.RedisError as error:
            self._report(error)
            return
        if milliseconds:
            seconds = max(1, math.ceil(milliseconds / 1000))
            raise RateLimited(
                f"Too many attempts with a wrong password for this user. Try again in {seconds} s.",
                retry_after_seconds=seconds,
            )

    def succeeded(self, username: str, network: str) -> None:
        """Remember the address of a right password, and do not count that guess."""
        guesses, _, known = _keys(username, network)
        try:
            self._redis.set(known, 1, ex=KNOWN_SECONDS)
            self._uncount(keys=[guesses])
        except redis.RedisError as error:
            self._report(error)

    def _report(self, error: redis.RedisError) -> None:
        if self._log_throttle.allow("guesses"):
            logger.warning("password_guesses_without_redis", reason=type(error).__name__)


def _keys(username: str, network: str) -> tuple[str, str, str]:
    # Hashed: a user may type a password into the field for the name.
    name = username.strip().casefold().encode("utf-8", "surrogatepass")
    account = hashlib.sha256(name).hexdigest()[:32]
    guesses = f"speakr:guesses:{account}"
    return guesses, f"{guesses}:turn", f"{guesses}:known:{network}"
