"""Parts of the native API: its OpenAPI generator and the blueprints of its nouns."""

from __future__ import annotations

from speakr.api.schemas.common import ErrorOut
from speakr.web import described
from speakr.web.described import Blueprint

__all__ = ["Api", "Blueprint", "noun"]


class Api(described.Api):
    """The OpenAPI generator of the native API."""

    ERROR_SCHEMA = ErrorOut


def noun(name: str, description: str, *, prefix: str = "/api/v1") -> Blueprint:
    """Return the blueprint of one noun."""
    return Blueprint(name, name, url_prefix=prefix, description=description)
