"""Parse arguments of requests with webargs: 400 for bad input, and JSON without a required content type."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Request
from marshmallow import Schema
from webargs.core import missing
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from speakr.db import is_writing
from speakr.offload import large_work, run_cpu
from speakr.web import bounds

OFFLOADED_BYTES = 256 * 1024
"""Bodies from this size on are parsed and validated beside the event loop."""
LARGE_BYTES = 1024 * 1024
"""Bodies from this size on may hold so many values that one is parsed at a time."""


class Parser(FlaskParser):
    """A webargs parser that answers bad input with 400, and reads strict JSON whatever the content type.

    Real clients post an empty body with a JSON content type, or a JSON body with none. What exceeds the
    bounds of the schema is refused before it is validated (`bounds`).
    """

    DEFAULT_VALIDATION_STATUS = 400

    def parse(
        self, argmap: Any, req: Request | None = None, *, location: str | None = None, **options: Any
    ) -> Any:
        """Read and validate the arguments of a request from one location."""
        request = req or self.get_default_request()
        if (location or self.location) != "json":
            return super().parse(argmap, request, location=location, **options)
        # The socket belongs to the loop: the body is read here, whichever thread parses it.
        size = len(request.get_data(cache=True))
        parse_json = super().parse
        # In an open transaction there is no waiting: the request whose turn it is may wait for its locks.
        with large_work(is_large=size >= LARGE_BYTES and not is_writing()):
            return run_cpu(
                lambda: parse_json(argmap, request, location=location, **options),
                is_long=size >= OFFLOADED_BYTES,
            )

    def load_json(self, req: Request, schema: Schema) -> Any:
        """Return the parsed body; treat an empty one as no body."""
        body = req.get_data(cache=True)
        if not body.strip():
            return missing
        if req.mimetype and not req.is_json:
            raise UnsupportedMediaType("Send the body as application/json.")
        bounds.of(schema).check_text(body)
        try:
            parsed = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise BadRequest("The body is not valid JSON.") from None
        return parsed

    def pre_load(self, location_data: Any, *, schema: Schema, req: Request, location: str) -> Any:
        """Check the lengths of what was sent before each element is validated."""
        del req
        if location == "json":
            bounds.check(location_data, schema)
        return location_data
