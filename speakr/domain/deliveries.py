"""States of a delivery."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum


class DeliveryStatus(StrEnum):
    """The four documented values; `failed` will be tried again, `permanent_failure` will not."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILED = "failed"
    PERMANENT_FAILURE = "permanent_failure"


class Verdict(StrEnum):
    """What one attempt means for its delivery."""

    DELIVERED = "delivered"
    RETRY = "retry"
    GIVE_UP = "give_up"
    GONE = "gone"
    """410: the receiver wants no more, so this delivery ends and the webhook is paused."""
    NOT_SENT = "not_sent"
    """Our own means failed. It is no attempt, and says nothing about the receiver."""


DUE_STATUSES = (DeliveryStatus.PENDING, DeliveryStatus.FAILED)

IMMEDIATE = datetime(2000, 1, 1, tzinfo=UTC)
"""The due time of urgent deliveries (tests that a user requested); they are sent before all others."""
