"""Schemas of registration, login and tokens."""

from __future__ import annotations

from marshmallow import fields, validate

from speakr.api.schemas.fields import NOT_BLANK, StrictBoolean, text
from speakr.api.schemas.users import EMAIL, LONG_ENOUGH, MAX_PASSWORD_LENGTH, UserOut
from speakr.services.accounts.registration import MAX_USERNAME_LENGTH
from speakr.web.wire import Wire

MAX_TOKEN_LENGTH = 4096
_COOKIES = {
    "description": "For browsers: set the tokens as HttpOnly cookies and leave them out of the answer.",
    "example": False,
}
_JWT = {"example": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"}


class LoginIn(Wire):
    """Name and password."""

    username = text(MAX_USERNAME_LENGTH, required=True, metadata={**NOT_BLANK, "example": "jane"})
    password = text(MAX_PASSWORD_LENGTH, required=True, metadata={"example": "a long sentence"})
    cookies = StrictBoolean(load_default=False, metadata=_COOKIES)


class RegisterIn(LoginIn):
    """A new account."""

    username = text(
        MAX_USERNAME_LENGTH,
        required=True,
        metadata={
            "description": "Letters, digits and `@ . + - _`.",
            "pattern": r"^[\w.@+-]+$",
            "example": "jane",
        },
    )
    password = text(
        MAX_PASSWORD_LENGTH,
        required=True,
        metadata={
            "description": "Not only digits, not common, and not like the name or the address.",
            "example": "a long sentence",
            **LONG_ENOUGH,
        },
    )
    email = text(254, allow_none=True, metadata=EMAIL)
    first_name = text(150, allow_none=True, metadata={"example": "Jane"})
    last_name = text(150, allow_none=True, metadata={"example": "Smith"})


class RefreshIn(Wire):
    """A refresh token; without one, that of the cookie is used."""

    refresh_token = text(MAX_TOKEN_LENGTH, metadata=_JWT)


class LogoutIn(Wire):
    """What to end; without anything, the session of the credential."""

    refresh_token = text(MAX_TOKEN_LENGTH, metadata={"description": "Ends its session instead.", **_JWT})
    everywhere = StrictBoolean(
        load_default=False, metadata={"description": "End all sessions of the user.", "example": False}
    )


class TokensOut(Wire):
    """A pair of tokens, or with `cookies` the token that unsafe methods need beside them."""

    access_token = fields.String(metadata={"description": "Send it as `Authorization: Bearer`.", **_JWT})
    refresh_token = fields.String(metadata={"description": "Good for one refresh.", **_JWT})
    csrf_token = fields.String(
        metadata={"description": "With `cookies`: the value of the header `X-CSRF-Token`.", "example": "5f0c"}
    )
    token_type = fields.String(
        required=True, validate=validate.OneOf(["Bearer"]), metadata={"example": "Bearer"}
    )
    expires_in = fields.Integer(
        required=True, metadata={"description": "Seconds until the access token expires.", "example": 3600}
    )


class RegisteredOut(TokensOut):
    """The new user and the first pair of tokens."""

    user = fields.Nested(UserOut, required=True)
