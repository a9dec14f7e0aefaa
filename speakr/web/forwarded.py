"""Read what trusted proxies report about a client, and refuse what no proxy writes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from flask import request
from werkzeug.exceptions import BadRequest
from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_MALFORMED_KEY = "speakr.malformed_forwarded"
_HOST = r"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"

_VALID: Mapping[str, re.Pattern[str]] = {
    "For": re.compile(r"[A-Za-z0-9._:%\[\]-]{1,64}"),
    "Proto": re.compile(r"https?", re.IGNORECASE),
    "Host": re.compile(_HOST),
    "Prefix": re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+;=:@%-]{1,100}){0,10}/?"),
}
"""Header after `X-Forwarded-` -> a value of it. A prefix is a path, and neither a URL nor `//host`."""


class TrustedProxies(ProxyFix):
    """WSGI middleware that applies `X-Forwarded-*` as the given number of proxies wrote them.

    A malformed value is not applied; `check` then refuses the request.
    """

    def __init__(self, app: WSGIApplication, hops: int) -> None:
        super().__init__(app, x_for=hops, x_proto=hops, x_host=hops, x_prefix=hops)
        self._hops = hops

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve a request."""
        for name, valid in _VALID.items():
            key = f"HTTP_X_FORWARDED_{name.upper()}"
            value = self._get_real_value(self._hops, environ.get(key))
            if value and not valid.fullmatch(value):
                del environ[key]
                environ[_MALFORMED_KEY] = f"X-Forwarded-{name}"
        return super().__call__(environ, start_response)


def check() -> None:
    """Refuse the current request if a header of a trusted proxy is malformed.

    Raises:
        BadRequest: with the name of the header.
    """
    name = request.environ.get(_MALFORMED_KEY)
    if name is not None:
        raise BadRequest(f"The header {name} is malformed.")
