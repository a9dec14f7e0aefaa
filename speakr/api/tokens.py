"""API tokens, at `/api/tokens` and again at `/api/v1/tokens`."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView
from flask_smorest import Blueprint
from marshmallow import fields

from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent
from speakr.api.schemas.pages import PageQuery
from speakr.api.schemas.tokens import TokenCreateIn, TokenListOut, TokenOut, TokenSecretOut, TokenUpdateIn
from speakr.db import unit_of_work
from speakr.domain.permissions import Scope
from speakr.services.accounts import tokens
from speakr.web.identity import actor, needs
from speakr.web.json import json_response
from speakr.web.pages import paged, window_of
from speakr.web.rate_limits import RateClass
from speakr.web.wire import Wire


class RevokedOut(Wire):
    """Token revoked."""

    message = fields.String(required=True)


def _make(name: str, prefix: str, suffix: str) -> Blueprint:
    """Build the routes under a prefix; operation ids end in `suffix` to be unique."""
    blp = noun(name, "Credentials for programs", prefix=prefix)

    @blp.route("/tokens")
    class Tokens(MethodView):
        """All of a user's tokens."""

        @needs(Scope.READ, RateClass.GET)
        @blp.doc(operationId=f"listTokens{suffix}")
        @blp.arguments(PageQuery, location="query")
        @blp.response(200, TokenListOut)
        def get(self, query: dict[str, Any]) -> Any:
            """List your tokens, revoked ones too, newest first."""
            return paged("tokens", tokens.list_page(actor(), window_of(query)), query)

        @needs(Scope.WRITE, RateClass.WRITE, takes_password=True)
        @idempotent
        @blp.doc(operationId=f"createToken{suffix}")
        @blp.arguments(TokenCreateIn, required=False)
        @blp.response(201, TokenSecretOut)
        def post(self, form: dict[str, Any]) -> Response:
            """Create a token. Only this response contains its secret. Accepts a password (Basic) too."""
            with unit_of_work():
                token, raw = tokens.create_for(actor(), **form)
            shown: dict[str, Any] = TokenOut().dump(token)
            return json_response({**shown, "token": raw}, 201)

    @blp.route("/tokens/<id:token_id>")
    class Token(MethodView):
        """One token."""

        @needs(Scope.WRITE, RateClass.WRITE)
        @blp.doc(operationId=f"renameToken{suffix}")
        @blp.arguments(TokenUpdateIn)
        @blp.response(200, TokenOut)
        def patch(self, form: dict[str, Any], token_id: int) -> Any:
            """Rename a token."""
            with unit_of_work():
                return tokens.rename(actor(), token_id, form["name"])

        @needs(Scope.WRITE, RateClass.WRITE)
        @blp.doc(operationId=f"revokeToken{suffix}")
        @blp.response(200, RevokedOut)
        def delete(self, token_id: int) -> Any:
            """Revoke a token; it stays in the list as revoked."""
            with unit_of_work():
                tokens.revoke(actor(), token_id)
            return {"message": "Token revoked successfully"}

    return blp


blp = _make("tokens", "/api/v1", "")
blp_outside = _make("tokens_outside", "/api", "Outside")
