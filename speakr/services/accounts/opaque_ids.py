"""Ids for APIs whose clients expect a UUID: made of a row's number and the server's key, so they need no column.

The result is a UUID of version 8 (RFC 9562, section 5.8). The number is hidden, and 90 bits of a keyed digest make an id
that cannot be guessed. It is no credential: a service still checks who may see the row.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid

from speakr.services.accounts.key_derivation import derived_key

_NUMBER_BYTES = 4
_VERSION = 8


def encode(kind: str, number: int) -> str:
    """Return the id of a row. kind: what the number counts; number: below 2^32. The same row always has the same id."""
    plain = number.to_bytes(_NUMBER_BYTES)
    # Version and variant first: the mask is computed from the tag with these bits.
    tag = _marked(_digest(f"tag of {kind}", plain)[:16]).bytes[_NUMBER_BYTES:]
    return str(uuid.UUID(bytes=_masked(kind, plain, tag) + tag))


def decode(kind: str, text: str) -> int | None:
    """Return the number of the row with this id; None for anything that `encode` has not made for this kind."""
    try:
        given = uuid.UUID(text)
    except ValueError:
        return None
    hidden, tag = given.bytes[:_NUMBER_BYTES], given.bytes[_NUMBER_BYTES:]
    number = int.from_bytes(_masked(kind, hidden, tag))
    return number if hmac.compare_digest(encode(kind, number), str(given)) else None


def _masked(kind: str, number: bytes, tag: bytes) -> bytes:
    mask = _digest(f"mask of {kind}", tag)
    return bytes(a ^ b for a, b in zip(number, mask, strict=False))


def _marked(digest: bytes) -> uuid.UUID:
    """Set the bits of version and variant."""
    value = int.from_bytes(digest) & ~(0xF << 76) & ~(0x3 << 62) | _VERSION << 76 | 0x2 << 62
    return uuid.UUID(int=value)


def _digest(purpose: str, data: bytes) -> bytes:
    return hmac.new(derived_key(f"opaque ids: {purpose}"), data, hashlib.sha256).digest()
