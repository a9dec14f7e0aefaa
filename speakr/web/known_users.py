"""Remember in this process which credentials were accepted, and whose they are."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote_plus

MAX_KNOWN = 10_000
UNKNOWN = 0
"""Stands for the users of all credentials that were not accepted before, and of requests without one."""

QUERY_PARAMETER = "token"
_HEADERS = ("AUTHORIZATION", "X-API-TOKEN", "API-TOKEN", "X-API-KEY")
_MAX_PARTS = 50
"""Parts of a query and cookies that are looked at."""

_users: OrderedDict[int, int] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential and its place in a request."""

    place: str
    """The name of a header, `cookie NAME`, or `query`."""
    value: str


def in_header(name: str, value: str) -> Credential:
    """Return the credential in a header; names are compared without case."""
    return Credential(name.upper(), value)


def in_cookie(name: str, value: str) -> Credential:
    """Return the credential in a cookie."""
    return Credential(f"cookie {name}", value)


def in_query(value: str) -> Credential:
    """Return the credential in the query."""
    return Credential("query", value)


def remember(credential: Credential, user_id: int) -> None:
    """Remember that a credential was accepted."""
    key = hash(credential)
    _users[key] = user_id
    _users.move_to_end(key)
    if len(_users) > MAX_KNOWN:
        _users.popitem(last=False)


def user_of(headers: Mapping[str, str], query: str = "") -> int:
    """Return the id of the user whose credential a request carries, or `UNKNOWN`. It proves nothing.

    The names of headers are upper case. Hashes are kept, which differ from process to process, and no credentials.
    """
    for credential in _presented(headers, query):
        user_id = _users.get(hash(credential))
        if user_id is not None:
            return user_id
    return UNKNOWN


def _presented(headers: Mapping[str, str], query: str) -> Iterator[Credential]:
    """Yield what may be a credential, in the order in which authenticators look for it."""
    for name in _HEADERS:
        if name in headers:
            yield in_header(name, headers[name])
    for part in query.split("&", _MAX_PARTS)[:_MAX_PARTS]:
        name, _, value = part.partition("=")
        if name == QUERY_PARAMETER:
            yield in_query(unquote_plus(value))
    for pair in headers.get("COOKIE", "").split(";", _MAX_PARTS)[:_MAX_PARTS]:
        name, _, value = pair.strip().partition("=")
        yield in_cookie(name, value)
