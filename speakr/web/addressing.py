"""Refuse requests whose path or host is spelled in a way that no link of this server is."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import request

from speakr.backends import get_backends
from speakr.domain.errors import Invalid, NotFound

_ENCODED = ("%2f", "%5c", "%00")
"""A slash, a backslash and NUL: proxies and this server would disagree about where such a path leads."""
_FOR_PROBES = frozenset({"/healthz", "/readyz"})
"""Probes call these by whatever address they know."""


def require_plain_path() -> None:
    """Refuse a path with an empty segment or an encoded slash: rules of proxies could be evaded with it.

    Raises:
        NotFound: there is nothing at such an address.

    """
    raw = str(request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or "").partition("?")[0]
    if not raw.startswith("/"):  # the absolute form of a request (RFC 9112, section 3.2.2)
        raw = raw.partition("://")[2]
    lowered = raw.lower()
    if "//" in request.path or "//" in raw or any(code in lowered for code in _ENCODED):
        raise NotFound("There is nothing at this address.")


def require_allowed_host() -> None:
    """Refuse a request for a host that `SPEAKR_ALLOWED_HOSTS` does not name; without the setting, any is served.

    Raises:
        Invalid: the host is not allowed (`host_not_allowed`).

    """
    allowed = get_backends().settings.allowed_host_names
    if allowed and request.path not in _FOR_PROBES and _host() not in allowed:
        raise Invalid("This server is not called by this name.", code="host_not_allowed")


def _host() -> str:
    try:
        return (urlsplit(f"//{request.host}").hostname or "").removesuffix(".")
    except ValueError:  # a bracket without its partner
        return ""
