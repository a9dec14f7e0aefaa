"""Field types of the wire."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar

from marshmallow import ValidationError, fields, validate

from speakr.web.wire import Wire

BIGGEST_ID = 2_147_483_647

# Words for the API's description alone, where a service complains in its own, documented words.
REQUIRED: Mapping[str, Any] = {"x-required": True}
"""Metadata of what must be there though the schema lets it pass; `openapi.py` writes it down as required."""
SPACES = r"\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""For character classes in patterns: what Python trims. JavaScript's `\\s` is not quite the same."""
BLANKS = rf"\x00{SPACES}"
"""The same with NUL, which is dropped."""
NOT_BLANK: Mapping[str, Any] = {"minLength": 1, "pattern": f"[^{BLANKS}]"}
"""Metadata of text of which something must be left when it is trimmed."""
WHEN: Mapping[str, Any] = {
    "anyOf": [{"format": "date"}, {"format": "date-time"}, {"maxLength": 0}],
}
"""Metadata of a date or a time in a query; an empty one is none."""

MAX_ELEMENTS = validate.Length(max=100)
"""For short lists of names whose number has no other limit."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class SegmentSourceOut(Wire):
    """Words of a recording that a statement rests on; times in seconds."""

    segment_id = fields.Integer(required=True)
    segment_index = fields.Integer(required=True, metadata={"description": "Counted from 0."})
    start_time = fields.Float(required=True)
    end_time = fields.Float(required=True)
    speaker = fields.String(required=True)
    quote = fields.String(required=True)


class ClaimOut(Wire):
    """A statement that was checked against the transcript."""

    sources = fields.List(fields.Nested(SegmentSourceOut), required=True)
    unverified = fields.Boolean(
        required=True, metadata={"description": "True if the transcript was not found to say so."}
    )


class Pattern(validate.Regexp):
    """A pattern for all of the text. Python's `$` also stands before a last line feed; JSON Schema's does not."""

    def __call__(self, value: str) -> str:  # type: ignore[override] # of bytes there are none in JSON
        """Return the text if it fits.

        Raises:
            ValidationError: it does not.

        """
        if re.fullmatch(self.regex, value) is None:  # type: ignore[arg-type] # it was made from a str
            raise ValidationError(self._format_error(value))
        return value


class Text(fields.String):
    """Text from strangers: what databases cannot store is dropped once the length is checked."""

    def deserialize(
        self, value: Any, attr: str | None = None, data: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> Any:
        """Check the text as it came, as the API's description says, and clean it then."""
        text = super().deserialize(value, attr, data, **kwargs)
        return _UNSTORABLE.sub("", text) if isinstance(text, str) else text


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


def one_of(words: type[StrEnum], *, description: str | None = None, **kwargs: Any) -> fields.Enum[Any]:
    """Return a field for one of our words, described as the text that it is on the wire."""
    metadata = {"type": "string"} if description is None else {"type": "string", "description": description}
    return fields.Enum(words, by_value=True, metadata=metadata, **kwargs)
