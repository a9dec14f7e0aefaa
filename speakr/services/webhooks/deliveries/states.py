"""Conditions on the state of deliveries that several modules use."""

from __future__ import annotations

import functools

from sqlalchemy import BigInteger, ColumnElement, any_, bindparam, literal_column
from sqlalchemy.dialects.postgresql import ARRAY

from speakr.domain.deliveries import DUE_STATUSES
from speakr.models import Delivery

IS_OPEN: ColumnElement[bool] = Delivery.status.in_(
    # Literals instead of bound parameters, so that both databases use the partial index of open deliveries.
    [literal_column(f"'{status.value}'") for status in DUE_STATUSES]
)


@functools.cache
def has_id(dialect: str) -> ColumnElement[bool]:
    """Return the condition that a delivery's id is in the parameter `ids`."""
    if dialect == "postgresql":
        # One array keeps the statement the same for any number of ids. A parameter per id must be rendered and parsed
        # each time, which takes longer than claiming.
        return Delivery.id == any_(bindparam("ids", type_=ARRAY(BigInteger)))
    return Delivery.id.in_(bindparam("ids", expanding=True))
