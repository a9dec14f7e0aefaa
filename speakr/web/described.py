"""Blueprints that describe themselves: arguments, responses, ids in paths, and the OpenAPI document of an API family."""

from __future__ import annotations

import copy
import re
import threading
from collections.abc import Callable, Mapping, Sequence
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
        method: str | Sequence[str],
        path: str,
        access: Callable[[View], View],
        *,
        takes: type[Schema] | Schema | None = None,
        takes_nothing: bool = False,
        location: str = "json",
        gives: type[Schema] | Schema | Mapping[str, Any] | None = None,
        content_type: str | None = None,
        also: Mapping[int, Mapping[str, Any]] | None = None,
        status: int = 200,
        name: str | None = None,
        **described: Any,
    ) -> Callable[[View], View]:
        """Declare one method of a path, or several with one view: route, access, arguments, response and description at once.

        access: `needs(...)` or `public`. takes, location: schema and place of the arguments; with `takes_nothing`, the
        body may be absent. gives, status: the usual response; also: further ones by status. name: the operation's id; by default one is made of the
        view's name. described: further keys of the operation in the OpenAPI document.
        """
        methods = [method] if isinstance(method, str) else list(method)

        def decorate(view: View) -> View:
            made: Any = self.response(status, gives, content_type=content_type)(view)
            for other, schema in (also or {}).items():
                made = self.alt_response(other, schema=schema, content_type=content_type)(made)
            if takes is not None:
                made = self.arguments(takes, location=location, required=not takes_nothing)(made)
            if name is not None:
                described["operationId"] = name
            if described:
                made = self.doc(**described)(made)
            return cast("View", self.route(path, methods=methods)(access(made)))

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
                item[method].setdefault("operationId", f"{endpoint}.{method}")
        return spec

    @property
    def _key(self) -> str:
        return f"speakr-description-{self.name}"

    @property
    def _prefix(self) -> str:
        return f"{self.name.upper()}_"
