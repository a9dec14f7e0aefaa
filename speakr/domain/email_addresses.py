"""Tell whether e-mail can be sent to an address (RFC 5322, section 3.4.1)."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTPUTF8


def is_sendable(address: str) -> bool:
    """Tell whether a header can hold this address, and nothing else is read from it."""
    if not address.isprintable():
        return False
    try:
        message = EmailMessage(SMTPUTF8)
        message["To"] = address
        message.as_bytes()
        found = [each.addr_spec for each in message["To"].addresses]
    except Exception:  # noqa: BLE001 - Python's parser raises IndexError, AttributeError and more for odd addresses
        return False
    return found == [address]
