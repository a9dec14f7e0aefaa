"""The base class of schemas, and the format of times.

Schemas dump most responses. The lists and details that are read most often are built as plain dicts and only documented
by a schema: marshmallow would take longer than the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from speakr.domain.clock import isoformat_z, parse_iso


class Wire(Schema):
    """Base of all schemas: unknown fields are ignored, because real clients send them."""

    class Meta:
        """Options of marshmallow."""

        unknown = EXCLUDE


class UtcDateTime(fields.DateTime):
    """A time: written in UTC with a final Z; read from any ISO 8601 form, without an offset as UTC."""

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        del attr, obj, kwargs
        return moment(value)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Any:
        del attr, data, kwargs
        if not isinstance(value, str):
            raise ValidationError("must be an ISO 8601 time")
        try:
            return parse_iso(value)
        except (ValueError, OverflowError):
            raise ValidationError("must be an ISO 8601 time, for example 2024-01-15T09:00:00Z") from None


def clock(seconds: float | None) -> str | None:
    """Return a duration as `HH:MM:SS`, with `.ffffff` if it is no whole number of seconds; None stays None."""
    if seconds is None:
        return None
    whole, micro = divmod(round(seconds * 1_000_000), 1_000_000)
    fraction = f".{micro:06}" if micro else ""
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{fraction}"


def moment(value: datetime | None) -> str | None:
    """Return a time as ISO 8601 in UTC with a final Z, or None."""
    return None if value is None else isoformat_z(value)
