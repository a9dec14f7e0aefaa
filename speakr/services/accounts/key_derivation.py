"""Derive keys from SPEAKR_SECRET_KEY, one per purpose: a leaked key reveals nothing about the others."""

from __future__ import annotations

import hashlib
import hmac

from speakr.backends import get_backends


def derived_key(purpose: str) -> bytes:
    """Return the 32-byte key of a purpose (HMAC-SHA256), which is the same in every process of this server."""
    secret = get_backends().settings.secret_key
    return hmac.new(secret.encode(), f"speakr {purpose} v1".encode(), hashlib.sha256).digest()


def keyed_digest(purpose: str, text: str) -> str:
    """Return the HMAC-SHA256 of a text under the key of a purpose, as 64 hexadecimal digits."""
    return hmac.new(derived_key(purpose), text.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()


def is_same(given: str, expected: str) -> bool:
    """Compare two strings in constant time; any characters are allowed."""
    return hmac.compare_digest(
        given.encode("utf-8", "surrogatepass"), expected.encode("utf-8", "surrogatepass")
    )
