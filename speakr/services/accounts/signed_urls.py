"""Signed URLs: links that let one user do one thing for a limited time, without any other credential.

The signature is an HMAC-SHA256 over the method, the path, the signed query parameters, the user and the expiry
time. It grants permission to read (GET) or to write (other methods), never admin permissions. The link shows
only what its user may see.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from urllib.parse import quote, urlencode

from sqlalchemy import select

from speakr.db import db
from speakr.domain.clock import now
from speakr.domain.errors import NotAuthenticated
from speakr.domain.permissions import Actor, Scope
from speakr.models import User
from speakr.services.accounts.key_derivation import is_same, keyed_digest

USER, EXPIRES, SIGNATURE = "user", "expires", "signature"
"""The query parameters that a signature adds."""

MAX_LIFETIME = timedelta(days=7)

_PURPOSE = "signed addresses"
_MAX_DIGITS = 12


def sign_url(
    path: str,
    *,
    user_id: int,
    lifetime: timedelta,
    method: str = "GET",
    query: Mapping[str, str] | None = None,
) -> str:
    """Return the path with a signed query; `query` has further parameters, which the signature covers.

    The path is the route's path as the app sees it, without a prefix that a proxy adds.

    Raises:
        ValueError: the lifetime is not positive or exceeds `MAX_LIFETIME`, or a parameter has a reserved name.

    """
    if not timedelta(0) < lifetime <= MAX_LIFETIME:
        raise ValueError("a signed address is valid for up to seven days")
    signed = dict(query or {})
    if signed.keys() & {USER, EXPIRES, SIGNATURE}:
        raise ValueError("a parameter has a name that signatures use")
    expires = int((now() + lifetime).timestamp())
    signature = _signature(method, path, signed.items(), str(user_id), str(expires))
    return f"{quote(path)}?{urlencode({**signed, USER: user_id, EXPIRES: expires, SIGNATURE: signature})}"


def verify(method: str, path: str, query: Iterable[tuple[str, str]]) -> Actor:
    """Return the actor of a signed URL; `query` has all parameters of the request.

    Raises:
        NotAuthenticated: a signed part was changed or a parameter added, the link has expired, or the user is disabled.

    """
    pairs = list(query)
    given = dict(pairs)
    user_id, expires = given.get(USER, ""), given.get(EXPIRES, "")
    rest = [(name, value) for name, value in pairs if name not in {USER, EXPIRES, SIGNATURE}]
    expected = _signature("GET" if method == "HEAD" else method, path, rest, user_id, expires)
    is_right = is_same(given.get(SIGNATURE, ""), expected)
    if not is_right or len(pairs) != len(given) or not (_is_number(user_id) and _is_number(expires)):
        raise NotAuthenticated("The signature of this address is wrong.", code="invalid_token")
    if int(expires) <= now().timestamp():
        raise NotAuthenticated("This address has expired.", code="expired_token")
    user = db.session.execute(
        select(User.id, User.username).where(User.id == int(user_id), User.is_active)
    ).first()
    if user is None:
        raise NotAuthenticated("The signature of this address is wrong.", code="invalid_token")
    scope = Scope.READ if method in {"GET", "HEAD"} else Scope.WRITE
    return Actor(user_id=user.id, username=user.username, is_admin=False, scopes=frozenset({scope}))


def _signature(method: str, path: str, pairs: Iterable[tuple[str, str]], user_id: str, expires: str) -> str:
    # JSON instead of joined text, so that no two different requests give the same bytes.
    signed = json.dumps([method.upper(), path, sorted(pairs), user_id, expires])
    return keyed_digest(_PURPOSE, signed)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
