"""How a delivery is signed: `speakr/domain/signatures.py`, under the name that this room knows it by."""

from __future__ import annotations

from speakr.domain.signatures import (
    USER_AGENT,
    delivery_headers,
    new_secret,
    speakr_signature,
    standard_secret,
    standard_signature,
)

__all__ = [
    "USER_AGENT",
    "delivery_headers",
    "new_secret",
    "speakr_signature",
    "standard_secret",
    "standard_signature",
]
