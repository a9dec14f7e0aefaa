"""Field types of schemas."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from marshmallow import ValidationError, fields, validate

from speakr.domain import languages
from speakr.domain.statements import MAX_SOURCES
from speakr.web.fields import BIGGEST_ID, Pattern, QueryBoolean, StrictBoolean, Text, bounded, text
from speakr.web.wire import Wire

__all__ = [
    "BIGGEST_ID",
    "Pattern",
    "QueryBoolean",
    "StrictBoolean",
    "Text",
    "bounded",
    "text",
]

# Metadata for the OpenAPI document only, where a service has its own, documented messages.
REQUIRED: Mapping[str, Any] = {"x-required": True}
"""Metadata of a required field that the schema lets pass; `openapi.py` marks it as required."""
SPACES = r"\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""What Python trims, for character classes of patterns. JavaScript's `\\s` differs slightly."""
BLANKS = rf"\x00{SPACES}"
"""The same with NUL, which is dropped."""
NOT_BLANK: Mapping[str, Any] = {"minLength": 1, "pattern": f"[^{BLANKS}]"}
"""Metadata of text that may not be blank."""
WHEN: Mapping[str, Any] = {
    "anyOf": [{"format": "date"}, {"format": "date-time"}, {"maxLength": 0}],
}
"""Metadata of a date or a time in a query; an empty one counts as absent."""

NO_LANGUAGE = "must be a language, such as en, en-US or English, or auto"
LANGUAGE: Mapping[str, Any] = {
    "pattern": languages.PATTERN,
    "description": "ISO 639-1, or the language's name; auto or empty to detect it.",
    "example": "en",
}
"""Metadata of a spoken language."""

MAX_NAMES = 100
MAX_ELEMENTS = validate.Length(max=MAX_NAMES)
"""For short lists of names whose number has no other limit."""

MAX_LIMIT = 200
"""Largest `limit` of lists of facts, newest first: jobs, events, deliveries, notices."""


class SegmentSourceOut(Wire):
    """A passage of a recording that supports a statement; times in seconds."""

    segment_id = fields.Integer(required=True)
    segment_index = fields.Integer(required=True, metadata={"description": "Counted from 0."})
    start_time = fields.Float(required=True)
    end_time = fields.Float(required=True)
    speaker = fields.String(required=True)
    quote = fields.String(required=True)


class ClaimOut(Wire):
    """A statement that was checked against the transcript."""

    sources = bounded(SegmentSourceOut, MAX_SOURCES)
    unverified = fields.Boolean(
        required=True, metadata={"description": "True if the transcript does not support it."}
    )


class RawText(fields.String):
    """Text that is refused rather than cleaned: its characters decide where a request goes. The service checks them."""


class Language(Text):
    """A spoken language by any of its names, as its code; `auto` and the like become `detection`.

    With `keeps_region` a tag such as pt-BR stays as it was written.
    """

    def __init__(self, *, detection: str | None, keeps_region: bool = False, **kwargs: Any) -> None:
        super().__init__(
            allow_none=True,
            validate=validate.Length(max=languages.MAX_NAME_LENGTH),
            metadata=LANGUAGE,
            **kwargs,
        )
        self._detection = detection
        self._read = languages.read_tag if keeps_region else languages.read

    def deserialize(
        self, value: Any, attr: str | None = None, data: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> Any:
        """Check the text as received, then read it."""
        name = super().deserialize(value, attr, data, **kwargs)
        if not isinstance(name, str):
            return name
        try:
            return self._read(name) or self._detection
        except languages.NoLanguage:
            raise ValidationError(NO_LANGUAGE) from None


def an_id(**kwargs: Any) -> fields.Integer:
    """Return a field for an id."""
    return fields.Integer(strict=True, validate=validate.Range(min=1, max=BIGGEST_ID), **kwargs)


def one_of(words: type[StrEnum], *, description: str | None = None, **kwargs: Any) -> fields.Enum[Any]:
    """Return a field for one of these words, documented as text."""
    metadata = {"type": "string"} if description is None else {"type": "string", "description": description}
    return fields.Enum(words, by_value=True, metadata=metadata, **kwargs)
