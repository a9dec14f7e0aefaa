"""User accounts, for administrators."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent
from speakr.api.schemas.accounts import (
    MAX_PER_PAGE,
    AccountCreateIn,
    AccountListOut,
    AccountListQuery,
    AccountOut,
    AccountUpdateIn,
)
from speakr.db import unit_of_work
from speakr.domain.permissions import Scope
from speakr.services.accounts import administration, users
from speakr.web.identity import actor, needs
from speakr.web.pages import Place, page_response
from speakr.web.rate_limits import RateClass

blp = noun("accounts", "User accounts, for administrators")


def _password_hash(form: dict[str, Any]) -> str | None:
    """Remove the password from a form and hash it, before any transaction."""
    administration.require_admin(actor())
    password = form.pop("password", None)
    return None if password is None else users.hashed(password)


@blp.route("/admin/users")
class Accounts(MethodView):
    """All users."""

    @needs(Scope.ADMIN, RateClass.GET)
    @blp.doc(operationId="listAccounts")
    @blp.arguments(AccountListQuery, location="query")
    @blp.response(200, AccountListOut)
    def get(self, query: dict[str, Any]) -> Response:
        """List all users with their limits and usage."""
        number, per_page = query["page"], min(query["per_page"], MAX_PER_PAGE)
        found, total = administration.list_page(
            actor(), (query.get("q") or "").strip() or None, page=number, per_page=per_page
        )
        shown = AccountOut(many=True).dump(found)
        return page_response({"users": shown}, Place(page=number, per_page=per_page, total=total))

    @needs(Scope.ADMIN, RateClass.WRITE)
    @idempotent
    @blp.doc(operationId="createAccount")
    @blp.arguments(AccountCreateIn)
    @blp.response(201, AccountOut)
    def post(self, form: dict[str, Any]) -> Any:
        """Create a user."""
        password_hash = _password_hash(form)
        with unit_of_work():
            return administration.create(actor(), form, password_hash)


@blp.route("/admin/users/<id:user_id>")
class Account(MethodView):
    """One user."""

    @needs(Scope.ADMIN, RateClass.GET)
    @blp.doc(operationId="getAccount")
    @blp.response(200, AccountOut)
    def get(self, user_id: int) -> Any:
        """Return a user's account. It contains none of their recordings."""
        return administration.get(actor(), user_id)

    @needs(Scope.ADMIN, RateClass.WRITE)
    @blp.doc(operationId="updateAccount")
    @blp.arguments(AccountUpdateIn)
    @blp.response(200, AccountOut)
    def patch(self, changes: dict[str, Any], user_id: int) -> Any:
        """Change a user.

        A new password, and `is_active: false`, revoke all tokens and end all sessions. Deactivation also cancels
        running jobs and waiting deliveries.
        """
        password_hash = _password_hash(changes)
        with unit_of_work():
            return administration.update(actor(), user_id, changes, password_hash)

    @needs(Scope.ADMIN, RateClass.WRITE)
    @blp.doc(operationId="deleteAccount")
    @blp.response(204)
    def delete(self, user_id: int) -> None:
        """Delete a user with all recordings, texts, tags, tokens and webhooks. What groups own stays."""
        with unit_of_work():
            administration.delete(actor(), user_id)


@blp.route("/admin/users/<id:user_id>/credentials")
class Credentials(MethodView):
    """The tokens and sessions of a user."""

    @needs(Scope.ADMIN, RateClass.WRITE)
    @blp.doc(operationId="revokeCredentials")
    @blp.response(204)
    def delete(self, user_id: int) -> None:
        """Revoke all tokens of a user and end all sessions. The password stays."""
        with unit_of_work():
            administration.end_credentials(actor(), user_id)
