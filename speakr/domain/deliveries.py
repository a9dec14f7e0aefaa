"""The words for a delivery's life."""

from __future__ import annotations

from enum import StrEnum


class DeliveryStatus(StrEnum):
    """The four documented values; `failed` will be tried again, `permanent_failure` will not."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILED = "failed"
    PERMANENT_FAILURE = "permanent_failure"


DUE_STATUSES = (DeliveryStatus.PENDING, DeliveryStatus.FAILED)
