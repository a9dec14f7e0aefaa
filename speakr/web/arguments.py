"""Parse arguments of requests with webargs: 400 for bad input, and JSON without a required content type."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Request
from marshmallow import Schema
from webargs.core import missing
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, UnsupportedMediaType


class Parser(FlaskParser):
    """A webargs parser that answers bad input with 400, and reads strict JSON whatever the content type.

    Real clients post an empty body with a JSON content type, or a JSON body with none.
    """

    DEFAULT_VALIDATION_STATUS = 400

    def load_json(self, req: Request, schema: Schema) -> Any:
        """Return the parsed body; treat an empty one as no body."""
        del schema
        body = req.get_data(cache=True)
        if not body.strip():
            return missing
        if req.mimetype and not req.is_json:
            raise UnsupportedMediaType("Send the body as application/json.")
        try:
            parsed = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise BadRequest("The body is not valid JSON.") from None
        return parsed
