"""Parts of the native API: arguments, OpenAPI document, ids in paths."""

from __future__ import annotations

import copy
import threading
from typing import Any

import flask_smorest
from flask import Flask
from flask_smorest import Blueprint as SmorestBlueprint
from marshmallow import Schema
from werkzeug.routing import IntegerConverter

from speakr.api.schemas.common import ErrorOut
from speakr.api.schemas.fields import BIGGEST_ID
from speakr.web import bounds
from speakr.web.arguments import Parser
from speakr.web.body import set_body_limit


class Blueprint(SmorestBlueprint):  # type: ignore[misc] # flask-smorest has no types
    """A blueprint whose arguments are parsed by `Parser`."""

    ARGUMENTS_PARSER = Parser()

    def arguments(self, schema: type[Schema] | Schema, *, location: str = "json", **options: Any) -> Any:
        """Parse a request with a schema that is created once, not for each request."""
        made = schema() if isinstance(schema, type) else schema
        decorate = super().arguments(made, location=location, **options)

        def bounded(view: Any) -> Any:
            wrapped = decorate(view)
            if location == "json":
                set_body_limit(wrapped, bounds.of(made).max_bytes)
            return wrapped

        return bounded


_DIGITS = "[0-9]+"
r"""The base class uses `\d`, which matches the digits of all scripts, so one object would have many addresses."""


class IdConverter(IntegerConverter):
    """An id in a path. Text that cannot be an id gives 404."""

    regex = _DIGITS

    def __init__(self, url_map: Any) -> None:
        super().__init__(url_map, min=1, max=BIGGEST_ID)


class NumberConverter(IntegerConverter):
    """A number in a path that counts from 0."""

    regex = _DIGITS

    def __init__(self, url_map: Any) -> None:
        super().__init__(url_map, min=0, max=BIGGEST_ID)


class Api(flask_smorest.Api):  # type: ignore[misc] # flask-smorest has no types
    """flask-smorest's OpenAPI generator; `errors.py` answers failures."""

    ERROR_SCHEMA = ErrorOut

    def __init__(self, app: Flask) -> None:
        self._undescribed: list[Blueprint] = []
        self._describing = threading.Lock()
        super().__init__(app)

    def register_blueprint(self, blp: Blueprint) -> None:
        """Register the routes. Their description is built on first use, because it takes longer than the whole start."""
        self._app.extensions["flask-smorest"]["blp_name_to_api"][blp.name] = self
        self._app.register_blueprint(blp)
        self._undescribed.append(blp)

    def describe(self) -> dict[str, Any]:
        """Return the OpenAPI document as flask-smorest builds it; the caller may change it."""
        with self._describing:
            while self._undescribed:
                blp = self._undescribed.pop(0)
                blp.register_views_in_doc(self, self._app, self.spec, name=blp.name, parameters=None)
                self.spec.tag({"name": blp.name, "description": blp.description})
            return copy.deepcopy(self.spec.to_dict())

    def _register_error_handlers(self) -> None:
        """Leave failures to the app's own handlers."""


def noun(name: str, description: str, *, prefix: str = "/api/v1") -> Blueprint:
    """Return the blueprint of one noun."""
    return Blueprint(name, name, url_prefix=prefix, description=description)
