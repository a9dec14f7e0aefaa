"""How the arguments of a request are read: webargs with 400 for bad input, and JSON without demanding a header."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Request
from marshmallow import Schema
from webargs.core import missing
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, UnsupportedMediaType


class Parser(FlaskParser):
    """webargs, with 400 for bad input and JSON read strictly but without demanding a header.

    Real clients post an empty body with a JSON content type, or a JSON body with none.
    """

    DEFAULT_VALIDATION_STATUS = 400

    def load_json(self, req: Request, schema: Schema) -> Any:
        """Return the parsed body; an empty one is no body."""
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
