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


DUE_STATUSES = (DeliveryStatus.PENDING, DeliveryStatus.FAILED)

IMMEDIATE = datetime(2000, 1, 1, tzinfo=UTC)
"""The due time of urgent deliveries (tests that a user requested); they are sent before all others."""
