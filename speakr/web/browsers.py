"""Protection of browser users: cookies of one API family, and checks of the origin of requests.

A browser sends cookies, and reaches servers in the user's own network, for any page that the user has open. So requests
that act without a credential of their own must come from a page of this server or of an allowed origin.
"""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from urllib.parse import urlsplit

from flask import Request, Response, request

from speakr.backends import get_backends
from speakr.domain.errors import Forbidden
from speakr.web import families
from speakr.web.pages import base_url

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""They change nothing (RFC 9110, section 9.2.1)."""


def set_cookie(
    response: Response,
    name: str,
    value: str,
    lifetime: timedelta,
    *,
    is_readable: bool = False,
    path: str | None = None,
) -> None:
    """Set a cookie that browsers send below `path` (default: the prefix of the request's family).

    Scripts can read it only if `is_readable`.
    """
    response.set_cookie(
        name,
        value,
        max_age=lifetime,
        path=_path(path),
        secure=base_url().startswith("https://"),
        httponly=not is_readable,
        samesite="Lax",
    )


def clear_cookie(response: Response, name: str, *, path: str | None = None) -> None:
    """Delete a cookie that `set_cookie` has set."""
    response.delete_cookie(name, path=_path(path), secure=base_url().startswith("https://"), samesite="Lax")


def _path(path: str | None) -> str:
    return f"{request.script_root}{families.current().family.prefix if path is None else path}"


def require_own_page(asked: Request, *, is_named: bool = False) -> None:
    """Refuse a request from a page of another origin; with `is_named` also one that names no page.

    Raises:
        Forbidden: `Origin`, or else `Referer`, names another origin (code `csrf_failed`).

    """
    origin = asked.headers.get("Origin") or _origin_of(asked.headers.get("Referer", ""))
    own = {_origin_of(base_url()), _origin_of(asked.url_root)}
    if (origin is None and not is_named) or origin in own or origin in families.current().origins:
        return
    if origin is None:
        raise Forbidden(
            "A request that relies on a cookie needs the header Origin or Referer.", code="csrf_failed"
        )
    raise Forbidden("This request was made by a page of another origin.", code="csrf_failed")


def require_known_host(asked: Request) -> None:
    """Refuse a request for a host name that could be an attacker's (DNS rebinding).

    The host of SPEAKR_PUBLIC_URL is accepted, as are IP addresses and names without a dot, which no public DNS serves.

    Raises:
        Forbidden: the `Host` header names another host (code `csrf_failed`).

    """
    host = urlsplit(f"//{asked.host}").hostname or ""
    if host == urlsplit(get_backends().settings.public_url).hostname or "." not in host or _is_address(host):
        return
    raise Forbidden("This server is not known under this name: set SPEAKR_PUBLIC_URL.", code="csrf_failed")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _origin_of(url: str) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else None
