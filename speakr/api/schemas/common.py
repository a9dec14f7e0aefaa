"""Schemas that many routes share."""

from __future__ import annotations

from marshmallow import fields

from speakr.api.schemas.fields import StrictBoolean
from speakr.web.wire import Wire


class ErrorOut(Wire):
    """The shape of every failure; some add keys of their own."""

    error = fields.String(required=True, metadata={"description": "A sentence for users."})
    code = fields.String(
        required=True, metadata={"description": "A stable word on which clients may branch."}
    )
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "What is wrong, per field."},
    )
    request_id = fields.String(required=True)


class PaginationOut(Wire):
    """The position of a page."""

    page = fields.Integer(required=True)
    per_page = fields.Integer(required=True)
    total = fields.Integer(required=True)
    total_pages = fields.Integer(required=True)
    has_next = fields.Boolean(required=True)
    has_prev = fields.Boolean(required=True)


class SuccessOut(Wire):
    """Success."""

    success = StrictBoolean(required=True)
    message = fields.String()
