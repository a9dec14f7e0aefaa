"""Blueprints that describe themselves: arguments, responses, ids in paths, and the OpenAPI document of an API family."""

from __future__ import annotations

import copy
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import flask_smorest
from flask import Flask
from flask_smorest import Blueprint as SmorestBlueprint
from marshmallow import Schema
from werkzeug.routing import IntegerConverter

from speakr import __version__
from speakr.web import bounds
from speakr.web.access import View, access_of
from speakr.web.arguments import Parser
from speakr.web.body import set_body_limit
from speakr.web.fields import BIGGEST_ID
from speakr.web.multipart import multipart_body


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

    def operation(
        self,
        route: str,
        access: Callable[[View], View],
        *,
        takes: type[Schema] | Schema | None = None,
        location: str = "json",
        required: bool = True,
        form: type[Schema] | None = None,
        gives: type[Schema] | Schema | None = None,
        status: int = 200,
        **described: Any,
    ) -> Callable[[View], View]:
        """Declare a view in one place: route, access, arguments, response and description.

        route: `GET /rule`, or `PUT,PATCH /rule` for two methods with one view; access: `needs(...)` or `public`;
        takes, location, required: schema and place of the arguments, and whether the body must be there; form: schema
        of a multipart body that the view reads itself; gives, status: the usual response; described: further keys of
        the operation in the OpenAPI document. Its id is made of the names of the family and the view.
        """
        methods, _, rule = route.partition(" ")
        if form is not None:
            described |= multipart_body(form)

        def decorate(view: View) -> View:
            made: Any = self.response(status, gives)(view)
            if takes is not None:
                made = self.arguments(takes, location=location, required=required)(made)
            if described:
                made = self.doc(**described)(made)
            return cast("View", self.route(rule, methods=methods.split(","))(access(made)))

        return decorate


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
    """flask-smorest's OpenAPI generator; the families answer failures."""

    def __init__(self, app: Flask, **options: Any) -> None:
        self._undescribed: list[Blueprint] = []
        self._describing = threading.Lock()
        super().__init__(app, **options)
        app.url_map.converters["id"] = IdConverter
        app.url_map.converters["number"] = NumberConverter
        self.register_converter(
            IdConverter, lambda converter: {"type": "integer", "minimum": 1, "maximum": converter.max}
        )

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


_METHODS = frozenset({"get", "post", "put", "patch", "delete"})
_PARAMETER = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
_BEARER = {"bearer": {"type": "http", "scheme": "bearer"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """Describes the routes of a family whose OpenAPI document needs no conventions beyond flask-smorest's."""

    name: str
    """Name of the family."""
    title: str
    blueprints: tuple[Blueprint, ...]
    """Their names are unique among all families."""

    def register(self, app: Flask) -> None:
        """Register the routes."""
        config: dict[str, Any] = {
            "API_TITLE": self.title,
            "API_VERSION": __version__,
            "OPENAPI_VERSION": "3.0.3",
            "API_SPEC_OPTIONS": {"components": {"securitySchemes": _BEARER}},
        }
        app.config.update({f"{self._prefix}{key}": value for key, value in config.items()})
        api = app.extensions[self._key] = Api(app, config_prefix=self._prefix)
        for blueprint in self.blueprints:
            api.register_blueprint(blueprint)

    def build(self, app: Flask) -> dict[str, Any]:
        """Return the OpenAPI document; each operation says whether it needs a token."""
        api: Api = app.extensions[self._key]
        spec = api.describe()
        endpoints = {
            (_PARAMETER.sub(r"{\1}", rule.rule), method.lower()): rule.endpoint
            for rule in app.url_map.iter_rules()
            for method in rule.methods or ()
        }
        for path, item in spec["paths"].items():
            for method in _METHODS & set(item):
                endpoint = endpoints[path, method]
                access = access_of(endpoint, method.upper())
                is_public = access is None or access.is_public
                item[method]["security"] = [] if is_public else [{"bearer": []}]
                item[method]["responses"].pop("default", None)
                of_view = [each for each in _METHODS & set(item) if endpoints[path, each] == endpoint]
                item[method].setdefault(
                    "operationId", self._operation_id(endpoint, method if len(of_view) > 1 else "")
                )
        return spec

    def _operation_id(self, endpoint: str, method: str) -> str:
        """Return `clioListNotes` for the view `list_notes`, with the method if one view answers several."""
        words = [*endpoint.rpartition(".")[2].split("_"), method]
        return self.name + "".join(word.capitalize() for word in words)

    @property
    def _key(self) -> str:
        return f"speakr-description-{self.name}"

    @property
    def _prefix(self) -> str:
        return f"{self.name.upper()}_"
