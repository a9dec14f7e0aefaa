"""Kinds and states of e-mails that the server sends."""

from __future__ import annotations

from enum import StrEnum


class EmailKind(StrEnum):
    """What an e-mail is for."""

    NOTICES = "notices"
    """Unread notices of a user. They contain names that the user chose, so they go to verified addresses only."""
    VERIFICATION = "verification"
    """Asks the owner of an address to confirm it. It contains no text of users."""


class EmailState(StrEnum):
    """The progress of an e-mail. All states but `WAITING` are final."""

    WAITING = "waiting"
    SENT = "sent"
    GIVEN_UP = "given_up"
    """The mail server refused it for good, or too often."""
    WITHDRAWN = "withdrawn"
    """There is no reason to send it any more: the address was changed, or the notices were read."""
