"""Signatures of a delivery: Speakr's own header, and the three headers of Standard Webhooks.

`Speakr-Signature` covers the body alone, so it cannot tell an old request from a new one; `webhook-signature`
(Standard Webhooks 1.0) covers id, time of the attempt and body. Both use the same key: the bytes of the secret
as it was shown. Source: the contract of webhook deliveries; the Standard Webhooks specification.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from secrets import token_urlsafe

from speakr.domain.clock import isoformat_z

USER_AGENT = "Speakr-Webhook/1.0"
_SECRET_BYTES = 32


def new_secret() -> str:
    """Return a fresh secret: 256 random bits, 43 URL-safe characters."""
    return token_urlsafe(_SECRET_BYTES)


def standard_secret(secret: str) -> str:
    """Return a secret in the form that Standard Webhooks libraries take: `whsec_` and base64 of its bytes."""
    return "whsec_" + base64.b64encode(secret.encode()).decode("ascii")


def speakr_signature(secret: str, body: bytes) -> str:
    """Sign a body: `sha256=` and 64 hexadecimal digits of HMAC-SHA256."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def standard_signature(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    """Sign `id.timestamp.body`, the timestamp in Unix seconds: `v1,` and base64 of HMAC-SHA256."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode("ascii")


def delivery_headers(
    *,
    event_id: str,
    event_type: str,
    body: bytes,
    secrets: Sequence[str],
    attempted_at: datetime,
    sequence: int | None = None,
) -> dict[str, str]:
    """Return every header of one attempt. `event_id` is the `id` in the body, the same on every attempt.

    `sequence` is the place of the delivery among those of an ordered webhook.

    `secrets` are the webhook's valid secrets: one, or two while a rotation overlaps. The first signs
    `Speakr-Signature`, which holds a single value that strict receivers compare whole, so put the
    secret that was valid when the delivery was written first; all of them sign `webhook-signature`.
    """
    timestamp = int(attempted_at.timestamp())
    place = {} if sequence is None else {"Speakr-Sequence": str(sequence)}
    return {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        **place,
        "Speakr-Signature": speakr_signature(secrets[0], body),
        "Speakr-Delivery-Id": event_id,
        "Speakr-Event": str(event_type),
        "Speakr-Timestamp": isoformat_z(attempted_at),
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(
            standard_signature(secret, message_id=event_id, timestamp=timestamp, body=body)
            for secret in secrets
        ),
    }
