"""The sentence in which a provider says why it refuses a request, fit to be shown to the owner of a recording and logged.

The rule: an error has Speakr's own sentence first, then that of the provider. What could help an attacker or disclose the
installation is taken out: keys, addresses, paths, identifiers. Nothing of it is believed, except where a connector looks
for the name of a field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from speakr.domain.foreign_text import clean_line

MAX_BODY_BYTES: Final = 16_384
MAX_SENTENCE_LENGTH: Final = 240
_MAX_READ_LENGTH = 4_000
_MIN_SECRET_LENGTH = 4

REMOVED: Final = "[...]"
_NAMES = ("message", "detail", "error", "msg", "error_message", "error_description", "title")
_MAX_DEPTH = 4

_PRIVATE = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?i)\b[a-z][a-z0-9+.-]{1,20}://[^\s\"'<>]+",
        r"[^\s@\"'<>(]{1,100}@[\w.-]+",
        r"(?i)\b(?:bearer|basic)\s+(?!auth|token)[^\s\"',]{4,}",
        r"(?i)(?<=key=)[^\s\"',]+|(?<=token=)[^\s\"',]+|(?<=password=)[^\s\"',]+",
        r"\b(?:sk|pk|rk|hf|gsk|xai|org|proj|req|user)[-_][^\s\"',;)]{3,}",
        r"[^\s\"']*\*{3,}[^\s\"'.]*",
        r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b",
        r"\b(?=[A-Za-z0-9]*[0-9])(?=[A-Za-z0-9]*[A-Za-z])[A-Za-z0-9]{16,}\b",
        r"\[?(?:[0-9a-fA-F]{0,4}:){2,}[0-9a-fA-F.:]*\]?(?::\d+)?",
        r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b",
        r"\b(?:[\w-]+\.){2,}[A-Za-z]{2,}(?::\d+)?\b",
        r"\b[A-Za-z][\w-]*:\d{2,5}\b",
        r"(?<![\w.\]])~?(?:/[\w.@+-]+){2,}/?",
        r"\b[A-Za-z]:\\[^\s\"']+",
    )
)


def sentence_in(body: str, secrets: Iterable[str] = ()) -> str:
    """Return the sentence in the body of a refusal, without what is private; empty if there is none.

    secrets: what must not be shown whatever it looks like, such as the configured key.
    """
    text = body[:_MAX_READ_LENGTH].strip()
    if text[:1] in {"{", "["}:
        text = _find(_parsed(body)) or ""
    elif text.startswith("<"):  # the page of a proxy
        return ""
    text = clean_line(text, _MAX_READ_LENGTH)
    for secret in secrets:
        if len(secret) >= _MIN_SECRET_LENGTH:
            text = text.replace(secret, REMOVED)
    for pattern in _PRIVATE:
        text = pattern.sub(REMOVED, text)
    return _shortened(" ".join(text.split()))


def appended(sentence: str) -> str:
    """Return a provider's sentence as it follows Speakr's own."""
    return f" It answers: “{sentence}”" if sentence else ""


def codes_in(body: str) -> set[str]:
    """Return the machine-readable codes in the body of a refusal: `code` and `type`, in lower case."""
    parsed = _parsed(body)
    if not isinstance(parsed, Mapping):
        return set()
    inner = parsed.get("error")
    places = [parsed, inner] if isinstance(inner, Mapping) else [parsed]
    found = (place.get(name) for place in places for name in ("code", "type"))
    return {code.casefold() for code in found if isinstance(code, str)}


def _parsed(body: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _find(value: Any, depth: int = 0) -> str | None:
    """Return the first text under a usual name. FastAPI answers a list of objects with `loc` and `msg`."""
    if isinstance(value, str):
        return value.strip() or None
    if depth >= _MAX_DEPTH:
        return None
    if isinstance(value, list):
        return next((found for each in value[:3] if (found := _find(each, depth + 1))), None)
    if not isinstance(value, Mapping):
        return None
    found = next((found for name in _NAMES if (found := _find(value.get(name), depth + 1))), None)
    place = value.get("loc")
    if found and isinstance(place, list) and place and isinstance(place[-1], str):
        return f"{place[-1]}: {found}"
    return found


def _shortened(text: str) -> str:
    if len(text) <= MAX_SENTENCE_LENGTH:
        return text
    return text[:MAX_SENTENCE_LENGTH].rsplit(" ", 1)[0] + "…"
