"""Schemas of API tokens."""

from __future__ import annotations

from marshmallow import fields, validate

from speakr.api.schemas.fields import MAX_ELEMENTS, NOT_BLANK, REQUIRED, bounded, text
from speakr.api.schemas.pages import PagedOut, page_of
from speakr.domain.permissions import Scope
from speakr.web.wire import UtcDateTime, Wire

SCOPES = [scope.value for scope in Scope]


class TokenOut(Wire):
    """A token without its secret."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    prefix = fields.String(required=True)
    scopes = bounded(fields.String(validate=validate.OneOf(SCOPES)), len(SCOPES))
    created_at = UtcDateTime(required=True)
    last_used_at = UtcDateTime(required=True, allow_none=True)
    expires_at = UtcDateTime(required=True, allow_none=True)
    revoked = fields.Boolean(required=True, attribute="is_revoked")


class TokenSecretOut(TokenOut):
    """A token with its secret, which is in no other response."""

    token = fields.String(required=True)


class TokenListOut(PagedOut):
    """Tokens, newest first."""

    tokens = page_of(TokenOut)


_NO_LIFE = "expires_in_days must be a non-negative integer"


class TokenCreateIn(Wire):
    """A new token."""

    name = text(1000, load_default="Unnamed Token")
    expires_in_days = fields.Integer(
        strict=True,
        load_default=0,
        validate=[validate.Range(min=0, error=_NO_LIFE), validate.Range(max=36_500)],
        error_messages={"invalid": _NO_LIFE},
    )
    scopes = fields.List(
        fields.String(validate=validate.OneOf(SCOPES)),
        allow_none=True,
        load_default=None,
        validate=MAX_ELEMENTS,
        metadata={
            "description": "Default: all but admin and calendar, as far as the caller's credential has them."
        },
    )


class TokenUpdateIn(Wire):
    """A new name."""

    name = text(1000, load_default="", metadata={**REQUIRED, **NOT_BLANK})
