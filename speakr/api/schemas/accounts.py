"""Schemas of user accounts, for administrators."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, post_load, validate

from speakr.api.schemas.common import PaginationOut
from speakr.api.schemas.fields import NOT_BLANK, StrictBoolean, bounded, text
from speakr.api.schemas.users import EMAIL, LONG_ENOUGH, MAX_PASSWORD_LENGTH
from speakr.web.wire import UtcDateTime, Wire

MAX_PER_PAGE = 100
_MAX_BUDGET = 2_147_483_647
_MAX_BYTES = 10**15
_BYTES_PER_MB = 1024 * 1024
_SECONDS_PER_MINUTE = 60

_COARSE = {
    "transcription_budget_minutes": ("transcription_budget_seconds", _SECONDS_PER_MINUTE),
    "storage_quota_mb": ("storage_quota_bytes", _BYTES_PER_MB),
}
"""Field in large units -> (the column, units of the column per unit of the field)."""


class UsedOut(Wire):
    """The usage of a user: this month, and the present total."""

    tokens_this_month = fields.Integer(required=True, attribute="tokens")
    transcription_seconds_this_month = fields.Integer(required=True, attribute="transcribed_seconds")
    storage_bytes = fields.Integer(required=True)
    recordings = fields.Integer(required=True)


class AccountOut(Wire):
    """A user account. A budget of null is the server's default; 0 allows nothing."""

    id = fields.Integer(required=True, attribute="user.id")
    username = fields.String(required=True, attribute="user.username")
    email = fields.String(required=True, allow_none=True, attribute="user.email")
    email_verified = fields.Boolean(required=True, attribute="user.email_verified")
    name = fields.String(required=True, allow_none=True, attribute="user.name")
    is_admin = fields.Boolean(required=True, attribute="user.is_admin")
    is_active = fields.Boolean(required=True, attribute="user.is_active")
    has_password = fields.Function(
        lambda account: account.user.password_hash is not None, metadata={"type": "boolean"}
    )
    created_at = UtcDateTime(required=True, attribute="user.created_at")
    token_budget = fields.Integer(required=True, allow_none=True, attribute="user.token_budget")
    transcription_budget_seconds = fields.Integer(
        required=True, allow_none=True, attribute="user.transcription_budget_seconds"
    )
    storage_quota_bytes = fields.Integer(required=True, allow_none=True, attribute="user.storage_quota_bytes")
    usage = fields.Nested(UsedOut, required=True, attribute="used")


class AccountListOut(Wire):
    """A page of users, by id."""

    users = bounded(AccountOut, MAX_PER_PAGE)
    pagination = fields.Nested(PaginationOut, required=True)


class AccountListQuery(Wire):
    """Which page, and which users."""

    page = fields.Integer(load_default=1, validate=validate.Range(min=1, max=10_000_000))
    per_page = fields.Integer(load_default=25, validate=validate.Range(min=1, max=1_000_000))
    q = text(254, metadata={"description": "Part of a name or e-mail address."})


def _budget(most: int, **kwargs: Any) -> fields.Integer:
    return fields.Integer(strict=True, allow_none=True, validate=validate.Range(min=0, max=most), **kwargs)


class AccountUpdateIn(Wire):
    """Fields to change; all optional. Durations and sizes may use small or large units."""

    username = text(80, metadata=NOT_BLANK)
    email = text(254, allow_none=True, metadata=EMAIL)
    email_verified = StrictBoolean()
    name = text(120, allow_none=True)
    is_admin = StrictBoolean()
    is_active = StrictBoolean()
    password = text(MAX_PASSWORD_LENGTH, metadata=LONG_ENOUGH)
    token_budget = _budget(_MAX_BUDGET)
    transcription_budget_seconds = _budget(_MAX_BUDGET)
    transcription_budget_minutes = _budget(_MAX_BUDGET // _SECONDS_PER_MINUTE)
    storage_quota_bytes = _budget(_MAX_BYTES)
    storage_quota_mb = _budget(_MAX_BYTES // _BYTES_PER_MB)

    @post_load
    def in_small_units(self, data: dict[str, Any], **_: object) -> dict[str, Any]:
        """Convert minutes to seconds and megabytes to bytes."""
        for coarse, (fine, units) in _COARSE.items():
            if coarse in data:
                amount = data.pop(coarse)
                amount = None if amount is None else amount * units
                if data.setdefault(fine, amount) != amount:
                    raise ValidationError(f"contradicts {fine}", coarse)
        return data


class AccountCreateIn(AccountUpdateIn):
    """A new user. Without a password, the user can only authenticate with a token."""

    username = text(80, required=True, metadata=NOT_BLANK)
