"""Conditions on the state of deliveries that several files ask for."""

from __future__ import annotations

import functools

from sqlalchemy import BigInteger, ColumnElement, any_, bindparam, literal_column
from sqlalchemy.dialects.postgresql import ARRAY

from speakr.domain.deliveries import DUE_STATUSES
from speakr.models import Delivery

IS_OPEN: ColumnElement[bool] = Delivery.status.in_(
    # Written out and not bound: only so do both databases see that the partial index of open deliveries fits.
    [literal_column(f"'{status.value}'") for status in DUE_STATUSES]
)


@functools.cache
def has_id(dialect: str) -> ColumnElement[bool]:
    """Return the condition of being one of the parameter `ids`."""
    if dialect == "postgresql":
        # One array, so that the statement is the same however many they are. With a place for each id it is
        # written by us and read by the driver anew, which takes longer than claiming does.
        return Delivery.id == any_(bindparam("ids", type_=ARRAY(BigInteger)))
    return Delivery.id.in_(bindparam("ids", expanding=True))
