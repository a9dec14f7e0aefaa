"""Schemas of accounts, tokens and profiles."""

from __future__ import annotations

from marshmallow import fields

from speakr.web.wire import Wire


class HealthOut(Wire):
    """The server answers."""

    status = fields.String(required=True, metadata={"example": "ok"})
