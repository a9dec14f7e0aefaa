"""Check the HTTP header fields that a user adds to deliveries (RFC 9110, section 5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MAX_HEADERS = 20
MAX_NAME_LENGTH = 100
MAX_VALUE_LENGTH = 1_000

RESERVED = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "date",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)
"""Fields that Speakr sets itself: framing and sender."""

RESERVED_PREFIXES = ("proxy-", "speakr-", "webhook-")

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")


def problems(headers: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each error in headers; empty if they may be sent."""
    found = [f"has at most {MAX_HEADERS} headers"] if len(headers) > MAX_HEADERS else []
    seen: set[str] = set()
    for name, value in headers.items():
        if name.lower() in seen:
            found.append(f"{_shown(name)} is given twice")
        seen.add(name.lower())
        problem = _problem(name, value)
        if problem is not None:
            found.append(f"{_shown(name)} {problem}")
    return found


def _problem(name: str, value: Any) -> str | None:
    if not _TOKEN.fullmatch(name):
        return "is not a header name"
    if len(name) > MAX_NAME_LENGTH:
        return f"has more than {MAX_NAME_LENGTH} characters"
    if name.lower() in RESERVED or name.lower().startswith(RESERVED_PREFIXES):
        return "is set by Speakr itself"
    return _problem_of_value(value)


def _problem_of_value(value: Any) -> str | None:
    if not isinstance(value, str):
        return "must be a text"
    if len(value) > MAX_VALUE_LENGTH:
        return f"has more than {MAX_VALUE_LENGTH} characters"
    if _CONTROL.search(value):
        return "has a line break or another control character in it"
    return None


def _shown(name: str) -> str:
    """Return user text in a form that is safe in a message."""
    return repr(name[:40])
