"""Keys for one purpose each, derived from SPEAKR_SECRET_KEY: a leak of one says nothing about the others."""

from __future__ import annotations

import hashlib
import hmac

from speakr.backends import get_backends


def derived_key(purpose: str) -> bytes:
    """Return 32 bytes that are the same in every process of this server, for one purpose (HMAC-SHA256)."""
    secret = get_backends().settings.secret_key
    return hmac.new(secret.encode(), f"speakr {purpose} v1".encode(), hashlib.sha256).digest()


def keyed_digest(purpose: str, text: str) -> str:
    """Return the HMAC-SHA256 of a text under the key of a purpose, as 64 hexadecimal digits."""
    return hmac.new(derived_key(purpose), text.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()


def is_same(given: str, expected: str) -> bool:
    """Compare two texts in a time that does not depend on where they differ; any characters are allowed."""
    return hmac.compare_digest(
        given.encode("utf-8", "surrogatepass"), expected.encode("utf-8", "surrogatepass")
    )
