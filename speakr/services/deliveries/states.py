"""Conditions on the state of deliveries that several files ask for."""

from __future__ import annotations

from sqlalchemy import ColumnElement, literal_column

from speakr.domain.deliveries import DUE_STATUSES
from speakr.models import Delivery

IS_OPEN: ColumnElement[bool] = Delivery.status.in_(
    # Written out and not bound: only so do both databases see that the partial index of open deliveries fits.
    [literal_column(f"'{status.value}'") for status in DUE_STATUSES]
)
