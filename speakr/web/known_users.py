"""Remember in this process which credentials were accepted, and whose they are."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

MAX_KNOWN = 10_000
UNKNOWN = 0
"""Stands for the users of all credentials that were not accepted before, and of requests without one."""

_HEADERS = ("AUTHORIZATION", "X-API-KEY", "COOKIE")

_users: OrderedDict[int, int] = OrderedDict()


def remember(headers: Mapping[str, str], user_id: int) -> None:
    """Remember that the credential of a request was accepted. The names of headers are upper case."""
    key = _key(headers)
    if key is None:
        return
    _users[key] = user_id
    _users.move_to_end(key)
    if len(_users) > MAX_KNOWN:
        _users.popitem(last=False)


def user_of(headers: Mapping[str, str]) -> int:
    """Return the id of the user whose credential a request carries, or `UNKNOWN`. It proves nothing."""
    key = _key(headers)
    return UNKNOWN if key is None else _users.get(key, UNKNOWN)


def _key(headers: Mapping[str, str]) -> int | None:
    """Return a hash, which differs from process to process, so that no credential is kept."""
    for name in _HEADERS:
        if name in headers:
            return hash((name, headers[name]))
    return None
