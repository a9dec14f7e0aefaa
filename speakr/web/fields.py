"""Field types that the schemas of all API families share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import ValidationError, fields, validate

from speakr.web.wire import Wire

BIGGEST_ID = 2_147_483_647

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def bounded(inner: fields.Field[Any] | type[Wire], most: int, **options: Any) -> fields.List[Any]:
    """Return a required list of a response. Its service gives at most `most` elements; the document says so."""
    element = fields.Nested(inner) if isinstance(inner, type) else inner
    return fields.List(element, required=True, validate=validate.Length(max=most), **options)


class Pattern(validate.Regexp):
    """A pattern for a whole text. Python's `$` also matches before a final line feed; JSON Schema's does not."""

    def __call__(self, value: str) -> str:  # type: ignore[override] # of bytes there are none in JSON
        """Return the text if it matches.

        Raises:
            ValidationError: it does not.

        """
        if re.fullmatch(self.regex, value) is None:  # type: ignore[arg-type] # it was made from a str
            raise ValidationError(self._format_error(value))
        return value


class Text(fields.String):
    """Text of clients: checks its length, then removes characters that databases cannot store."""

    def deserialize(
        self, value: Any, attr: str | None = None, data: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> Any:
        """Check the text as received, as OpenAPI documents it, then clean it."""
        text = super().deserialize(value, attr, data, **kwargs)
        return _UNSTORABLE.sub("", text) if isinstance(text, str) else text


def text(longest: int, **kwargs: Any) -> Text:
    """Return a text field of at most `longest` characters."""
    return Text(validate=validate.Length(max=longest), **kwargs)


class StrictBoolean(fields.Boolean):
    """true or false and nothing else."""

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
