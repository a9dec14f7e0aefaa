"""Field types of the wire."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from speakr.domain.clock import isoformat_z, parse_iso

BIGGEST_ID = 2_147_483_647
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Wire(Schema):
    """Base of all shapes: unknown fields are ignored, for real clients send them."""

    class Meta:
        """marshmallow's place for options."""

        unknown = EXCLUDE


class UtcDateTime(fields.DateTime):
    """A time: printed in UTC with a final Z; read from any ISO 8601 form, without an offset as UTC."""

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        del attr, obj, kwargs
        return None if value is None else isoformat_z(value)

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


class Text(fields.String):
    """Text from strangers: what databases cannot store is dropped before the length is checked."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Any:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        return _UNSTORABLE.sub("", text)


def text(longest: int, **kwargs: Any) -> Text:
    """Return a text field of at most `longest` characters."""
    return Text(validate=validate.Length(max=longest), **kwargs)


class StrictBoolean(fields.Boolean):
    """true or false and nothing like it."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Any:
        del attr, data, kwargs
        if not isinstance(value, bool):
            raise ValidationError("must be true or false")
        return value


class QueryBoolean(fields.Boolean):
    """A flag in a query string or form: true, false, 1, 0, yes, no, on, off."""

    WORDS: ClassVar[Mapping[str, bool]] = {
        "true": True,
        "1": True,
        "yes": True,
        "on": True,
        "false": False,
        "0": False,
        "no": False,
        "off": False,
    }

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Any:
        del attr, data, kwargs
        try:
            return self.WORDS[str(value).strip().lower()]
        except KeyError:
            raise ValidationError("must be true or false") from None


def an_id(**kwargs: Any) -> fields.Integer:
    """Return a field for one of our ids."""
    return fields.Integer(strict=True, validate=validate.Range(min=1, max=BIGGEST_ID), **kwargs)
