"""Bounds of JSON bodies, computed from their schemas and checked before anything is validated.

marshmallow validates every element of a list before it looks at the list's length, with a message per
element. A body of millions of elements would keep the event loop busy for minutes. So the size of the
body, the number of its values, and the lengths of its lists and strings are checked first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate
from werkzeug.exceptions import BadRequest

MIN_BODY_BYTES = 64 * 1024
"""Limit for a body whose schema holds no long text, and for requests that have no body."""

MAX_BODY_BYTES = 8 * 1024 * 1024
"""Limit for any JSON body, however much text its schema allows."""

MAX_UNKNOWN_FIELDS = 50
"""Fields that a schema does not know are ignored, up to this many per object."""

_ESCAPED_BYTES = 6
r"""Bytes of one character as `\uXXXX`, as many JSON libraries write it."""

_NUMBER_BYTES = 32
_ENTRY_BYTES = 2_000
_VALUES_PER_ENTRY = 6
"""Size of one entry of an object whose names are free."""

_BYTES_PER_VALUE = 32
"""Bytes outside strings that a value may have: punctuation, indentation, a number."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The largest JSON body that a schema accepts."""

    max_bytes: int
    max_values: int
    """Values at all depths, keys included."""

    def check_text(self, body: bytes) -> None:
        """Refuse a body with more values than the schema allows, without parsing it.

        Raises:
            BadRequest: it has too many values.

        """
        if len(body) <= MIN_BODY_BYTES:
            return
        plain = body.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in body else body
        if plain.count(b'"') > 2 * self.max_values:
            raise _too_many_values()
        outside = b"".join(plain.split(b'"')[::2])
        if outside.count(b",") + outside.count(b"[") + outside.count(b"{") > self.max_values:
            raise _too_many_values()


def _too_many_values() -> BadRequest:
    return BadRequest("The body has more values than this address takes.")


@lru_cache(512)
def of(schema: Schema) -> Bounds:
    """Return the bounds of a schema's bodies. Schemas are compared by identity."""
    size, count = _of_schema(schema)
    return Bounds(min(max(size, MIN_BODY_BYTES), MAX_BODY_BYTES), count + 2 * MAX_UNKNOWN_FIELDS)


def check(parsed: Any, schema: Schema) -> None:
    """Check the lengths of lists and strings, and the number of fields, at all depths.

    Raises:
        ValidationError: with the message of the field's own validator, and nothing else.

    """
    items = parsed if isinstance(parsed, list) and schema.many else [parsed]
    for item in items:
        _check_object(item, schema)


def _of_schema(schema: Schema) -> tuple[int, int]:
    size, count = 2, 1
    for name, field in schema.load_fields.items():
        inner_size, inner_count = _of_field(field)
        size += len(field.data_key or name) + _BYTES_PER_VALUE + inner_size
        count += 1 + inner_count
    return size, count


def _of_field(field: fields.Field[Any]) -> tuple[int, int]:
    if isinstance(field, fields.Nested):
        size, count = _of_schema(field.schema)
        return (size, count) if not field.many else (_times(field) * size, _times(field) * count)
    if isinstance(field, fields.List):
        size, count = _of_field(field.inner)
        return _times(field) * (size + _BYTES_PER_VALUE), _times(field) * count + 1
    if isinstance(field, fields.String):
        return _ESCAPED_BYTES * (max_length(field) or field.metadata.get("maxLength", 0)), 1
    if isinstance(field, fields.Dict) or type(field) is fields.Raw:
        entries = max_length(field) or field.metadata.get("maxProperties", 1)
        return entries * _ENTRY_BYTES, entries * _VALUES_PER_ENTRY
    return _NUMBER_BYTES, 1


def _times(field: fields.Field[Any]) -> int:
    return max_length(field) or 1


def max_length(field: fields.Field[Any]) -> int | None:
    """Return the most characters of a string, or elements of a list; None if no validator says."""
    lengths = [
        each.max if each.equal is None else each.equal
        for each in field.validators
        if isinstance(each, validate.Length)
    ]
    known = [length for length in lengths if length is not None]
    return min(known) if known else None


@contextlib.contextmanager
def _located(place: str | int) -> Iterator[None]:
    """Put a field's name or an element's index before the messages of an error, as marshmallow does."""
    try:
        yield
    except ValidationError as error:
        raise ValidationError({place: error.messages}) from None


_JSON_TYPE: Mapping[type[fields.Field[Any]], type] = {
    fields.String: str,
    fields.List: list,
    fields.Nested: list,
    fields.Dict: dict,
}
"""Type of field -> the JSON type whose length its validators measure."""


def _kind(field: fields.Field[Any]) -> type[fields.Field[Any]]:
    return next((kind for kind in _JSON_TYPE if isinstance(field, kind)), fields.Field)


def _check_object(value: Any, schema: Schema) -> None:
    if not isinstance(value, Mapping):
        return
    if len(value) > len(schema.load_fields) + MAX_UNKNOWN_FIELDS:
        raise ValidationError(f"An object has more than {MAX_UNKNOWN_FIELDS} unknown fields.")
    for name, field in schema.load_fields.items():
        key = field.data_key or name
        if key in value:
            with _located(key):
                _check_value(value[key], field)


def _check_value(value: Any, field: fields.Field[Any]) -> None:
    if isinstance(value, str | list | dict) and isinstance(value, _JSON_TYPE.get(_kind(field), ())):
        for validator in field.validators:
            if isinstance(validator, validate.Length) and len(value) > (max_length(field) or len(value)):
                validator(value)
    if isinstance(field, fields.Nested):
        if not field.many:
            _check_object(value, field.schema)
        elif isinstance(value, list):
            for index, each in enumerate(value):
                with _located(index):
                    _check_object(each, field.schema)
    elif isinstance(field, fields.List) and isinstance(value, list):
        for index, each in enumerate(value):
            with _located(index):
                _check_value(each, field.inner)
