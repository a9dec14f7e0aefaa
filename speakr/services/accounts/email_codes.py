"""The codes in verifications: signed, so that none needs to be stored."""

from __future__ import annotations

import re
from datetime import timedelta

from speakr.models import Email
from speakr.services.accounts.key_derivation import is_same, keyed_digest

LIFETIME = timedelta(hours=48)

_PURPOSE = "verification of e-mail addresses"
_DIGITS = 32
_CODE = re.compile(r"(?P<id>[1-9][0-9]{0,8})-(?P<digest>[0-9a-f]{32})")


def code_of(email: Email) -> str:
    """Return the code of a verification: its id and 128 bits of an HMAC over the id, the user and the address."""
    return f"{email.id}-{_digest(email)}"


def id_in(code: str) -> int | None:
    """Return the id of the verification that a code claims to be of; None if it is no code."""
    match = _CODE.fullmatch(code)
    return None if match is None else int(match["id"])


def fits(code: str, email: Email) -> bool:
    """Tell whether a code is that of a verification."""
    return is_same(code, code_of(email))


def _digest(email: Email) -> str:
    return keyed_digest(_PURPOSE, f"{email.id}:{email.user_id}:{email.address}")[:_DIGITS]
