"""Schemas of accounts, tokens, profiles and figures."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import ValidationError, fields, post_load, pre_dump, validate, validates_schema

from speakr.services.accounts import storage_use, users
from speakr.services.accounts.users import AUDIO_QUALITIES, PREFERRED_LANGUAGES
from speakr.web.authenticators.jwt_pair import TokenPair
from speakr.web.fields import bounded, text
from speakr.web.token_routes import Exchange, TokenShapes
from speakr.web.wire import UtcDateTime, Wire

MAX_PASSWORD_LENGTH = 1_000
MAX_TOKEN_LENGTH = 4_096
MAX_LANGUAGES = 200


NO_QUOTA_MB = 2_147_483_647
"""Shown for users without a quota: clients expect a number."""


def _text(name: str, example: str) -> fields.Function:
    """Return a field of a user that is empty text instead of null."""
    metadata = {"type": "string", "example": example}
    return fields.Function(lambda shown: getattr(shown["user"], name) or "", metadata=metadata)


def _rounded(name: str, decimals: int) -> fields.Function:
    """Return a figure of `Totals`; 0 if there is none."""
    metadata = {"type": "number"}
    return fields.Function(
        lambda shown: round(getattr(shown["totals"], name) or 0.0, decimals), metadata=metadata
    )


class HealthOut(Wire):
    """The server answers."""

    status = fields.String(required=True, metadata={"example": "ok"})


class LoginIn(Wire):
    """Name and password."""

    username = text(150, required=True, metadata={"example": "john_doe"})
    password = text(MAX_PASSWORD_LENGTH, required=True, metadata={"example": "SecurePass123!"})


class RegisterIn(LoginIn):
    """A new account."""

    password_confirm = text(MAX_PASSWORD_LENGTH, required=True, metadata={"example": "SecurePass123!"})
    email = text(254, allow_none=True, metadata={"example": "john@example.com"})
    first_name = text(150, allow_none=True, metadata={"example": "John"})
    last_name = text(150, allow_none=True, metadata={"example": "Doe"})

    @validates_schema
    def same(self, data: dict[str, Any], **_: object) -> None:
        """Refuse two passwords that differ."""
        if data.get("password") != data.get("password_confirm"):
            raise ValidationError("The two passwords do not match.")

    @post_load
    def without_copy(self, data: dict[str, Any], **_: object) -> dict[str, Any]:
        """Drop the second password."""
        del data["password_confirm"]
        return data


class RefreshIn(Wire):
    """A refresh token; without one, that of the cookie is used."""

    refresh = text(MAX_TOKEN_LENGTH, allow_none=True)


class LogoutIn(Wire):
    """The refresh token of the session to end; without one, that of the cookie."""

    refresh_token = text(MAX_TOKEN_LENGTH, allow_none=True)


class ProfileIn(Wire):
    """Clients send the whole profile back: what is not listed here is read-only and ignored."""

    preferred_language = fields.String(validate=validate.OneOf(PREFERRED_LANGUAGES))
    audio_quality = fields.String(validate=validate.OneOf(AUDIO_QUALITIES))


class TokensOut(Wire):
    """Both tokens."""

    refresh = fields.String(required=True)
    access = fields.String(required=True)


class StorageOut(Wire):
    """What a user stores; of `{"use": StorageUse}`."""

    storage_quota_mb = fields.Function(
        lambda shown: NO_QUOTA_MB if shown["use"].quota_mb is None else shown["use"].quota_mb,
        metadata={"type": "integer", "example": 1000},
    )
    storage_used_mb = fields.Float(required=True, attribute="use.used_mb", metadata={"example": 45.7})
    storage_percentage = fields.Float(required=True, attribute="use.percentage", metadata={"example": 4.6})


class NamesOut(Wire):
    """The names of `{"user": User}`; clients expect text for all."""

    username = fields.String(required=True, attribute="user.username", metadata={"example": "john_doe"})
    email = _text("email", "john@example.com")
    first_name = _text("first_name", "John")
    last_name = _text("last_name", "Doe")


class ProfileOut(NamesOut, StorageOut):
    """The profile of `{"user": User}`."""

    preferred_language = fields.String(
        required=True, attribute="preferences.preferred_language", metadata={"example": "en-US"}
    )
    audio_quality = fields.String(
        required=True, attribute="preferences.audio_quality", metadata={"example": "high"}
    )
    created_at = UtcDateTime(required=True, attribute="user.created_at")

    @pre_dump
    def completed(self, shown: dict[str, Any], **_: object) -> dict[str, Any]:
        """Add the preferences and the storage of the user."""
        user = shown["user"]
        return {
            "user": user,
            "preferences": users.preferences(user),
            "use": storage_use.of_user(user.id),
        }


class AnswerOut(Wire):
    """The outcome without data."""

    success = fields.Boolean(required=True, metadata={"example": True})
    message = fields.String(metadata={"example": "Logged out successfully"})


class ProfileAnswerOut(AnswerOut):
    """A profile in its envelope."""

    data = fields.Nested(ProfileOut, required=True)


class UserOut(NamesOut):
    """The user and the profile of `{"user": User}`."""

    id = fields.Integer(required=True, attribute="user.id")
    date_joined = UtcDateTime(required=True, attribute="user.created_at")
    profile = fields.Function(lambda shown: ProfileOut().dump(shown), metadata={"type": "object"})


class RegisteredOut(Wire):
    """The new user and the first tokens."""

    user = fields.Nested(UserOut, required=True)
    tokens = fields.Nested(TokensOut, required=True)


class RegisteredAnswerOut(AnswerOut):
    """The new user in its envelope."""

    data = fields.Nested(RegisteredOut, required=True)


class StatsOut(StorageOut):
    """Figures of `{"totals": Totals, "use": StorageUse}`."""

    total_notes = fields.Integer(required=True, attribute="totals.total")
    completed_notes = fields.Integer(required=True, attribute="totals.transcribed")
    processing_notes = fields.Integer(required=True, attribute="totals.in_progress")
    failed_notes = fields.Integer(required=True, attribute="totals.failed")
    favorite_notes = fields.Integer(required=True, attribute="totals.highlighted")
    total_duration_seconds = _rounded("duration_seconds", 2)
    languages_used = bounded(fields.String(), MAX_LANGUAGES, attribute="totals.languages")
    success_rate = _rounded("success_rate", 1)
    average_confidence = _rounded("mean_confidence", 2)


class StatsAnswerOut(AnswerOut):
    """The figures in their envelope."""

    data = fields.Nested(StatsOut, required=True)


def tokens(pair: TokenPair) -> dict[str, Any]:
    """Return both tokens (`TokensOut`)."""
    return {"refresh": pair.refresh, "access": pair.access}


def registered(user: Any, pair: TokenPair) -> dict[str, Any]:
    """Return a new user and the first tokens (`RegisteredAnswerOut`)."""
    data = {"user": user, "tokens": tokens(pair)}
    return {"success": True, "message": "User registered successfully", "data": data}


TOKENS: Final = TokenShapes(
    register=Exchange(takes=RegisterIn, gives=RegisteredAnswerOut),
    login=Exchange(takes=LoginIn, gives=TokensOut),
    refresh=Exchange(takes=RefreshIn, gives=TokensOut),
    logout=Exchange(takes=LogoutIn, gives=AnswerOut),
    show_user=lambda user: UserOut().dump({"user": user}),
    registered=registered,
    tokens=tokens,
    logged_out={"success": True, "message": "Logged out successfully"},
)
"""The bodies of the routes that give and end tokens."""
