"""Count guesses at the password of one account, whatever addresses they come from.

After `MAX_GUESSES` in an hour, each network that is not known for the account (/24 of IPv4, /64 of IPv6) may try once a
minute, and all of them together `MAX_TOGETHER` times. Addresses from which a login succeeded within the last 30 days are known:
they, sessions and tokens are not affected. So a stranger delays the owner at a new address only from the owner's network, or
from very many networks at once. Names that belong to no account are counted in the same way, so a refusal reveals nothing.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
from dataclasses import dataclass
from typing import Final

import redis
import structlog

from speakr.domain.errors import RateLimited
from speakr.telemetry.log_throttle import LogThrottle

logger = structlog.get_logger(__name__)

MAX_GUESSES: Final = 10
WINDOW_SECONDS: Final = 3600
PAUSE_SECONDS: Final = 60
"""Seconds between two guesses from one unknown network once there were `MAX_GUESSES`."""
MAX_TOGETHER: Final = 20
"""Guesses within `PAUSE_SECONDS` from all unknown networks together, once there were `MAX_GUESSES`."""
KNOWN_SECONDS: Final = 30 * 24 * 3600

_UNKNOWN_IPV4_BITS: Final = 24
"""Many providers give a customer some addresses of such a network."""

_ADMIT: Final = """
local count = redis.call('INCR', KEYS[1])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
if count <= tonumber(ARGV[1]) or redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
local wait = redis.call('PTTL', KEYS[2])
if wait <= 0 and tonumber(redis.call('GET', KEYS[4]) or '0') >= tonumber(ARGV[4]) then
  wait = redis.call('PTTL', KEYS[4])
end
if wait > 0 then
  redis.call('DECR', KEYS[1])
  return wait
end
redis.call('SET', KEYS[2], 1, 'PX', ARGV[3])
redis.call('INCR', KEYS[4])
if redis.call('PTTL', KEYS[4]) < 0 then redis.call('PEXPIRE', KEYS[4], ARGV[3]) end
return 0
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
        keys = _Keys.of(username, network)
        try:
            milliseconds = self._admit(
                keys=[keys.guesses, keys.turn, keys.known, keys.together],
                args=[MAX_GUESSES, WINDOW_SECONDS * 1000, PAUSE_SECONDS * 1000, MAX_TOGETHER],
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
        try:
            self._redis.set(_Keys.of(username, network).known, 1, ex=KNOWN_SECONDS)
        except redis.RedisError as error:
            self._report(error)
        self.withdraw(username, network)

    def withdraw(self, username: str, network: str) -> None:
        """Do not count a guess that was admitted: it was right, or it is not checked."""
        try:
            self._uncount(keys=[_Keys.of(username, network).guesses])
        except redis.RedisError as error:
            self._report(error)

    def _report(self, error: redis.RedisError) -> None:
        if self._log_throttle.allow("guesses"):
            logger.warning("password_guesses_without_redis", reason=type(error).__name__)


@dataclass(frozen=True, slots=True)
class _Keys:
    guesses: str
    turn: str
    known: str
    together: str

    @classmethod
    def of(cls, username: str, network: str) -> _Keys:
        # Hashed: a user may type a password into the field for the name.
        name = username.strip().casefold().encode("utf-8", "surrogatepass")
        guesses = f"speakr:guesses:{hashlib.sha256(name).hexdigest()[:32]}"
        return cls(
            guesses, f"{guesses}:turn:{_wider(network)}", f"{guesses}:known:{network}", f"{guesses}:together"
        )


def _wider(network: str) -> str:
    """Return the /24 of an IPv4 address; the networks of IPv6 addresses stay."""
    try:
        address = ipaddress.IPv4Address(network)
    except ValueError:
        return network
    return str(ipaddress.ip_network((int(address), _UNKNOWN_IPV4_BITS), strict=False))
