"""The caller's profile, preferences and figures, and the users they may share with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response
from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.schemas.users import (
    ACCOUNT_WEBHOOKS,
    AutoSummarizationIn,
    AutoSummarizationOut,
    StatsOut,
    StatsQuery,
    UserOut,
    UserQuery,
    UsersFoundOut,
    UserUpdateIn,
    VoicesDeletedOut,
)
from speakr.db import release, unit_of_work
from speakr.domain.errors import Invalid
from speakr.domain.permissions import Scope
from speakr.services.accounts import users
from speakr.services.speech import voice_profiles
from speakr.services.system import stats
from speakr.services.webhooks import account_webhooks
from speakr.web import families
from speakr.web.identity import actor, needs
from speakr.web.json import json_response
from speakr.web.rate_limits import RateClass, count_guess, guessed_right

blp = noun("users", "Whoever asks")


def shown(user: Any, urls: Mapping[str, str | None] | None = None) -> dict[str, Any]:
    """Return what the caller sees of their own account; `urls` are those of its account webhooks, if known already."""
    if urls is None:
        urls = account_webhooks.urls_of(actor(), families.account_webhooks())
    return {
        "id": user.id,
        "username": user.username,
        "email": user.email,
        "name": user.name,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "job_title": user.job_title,
        "company": user.company,
        "is_admin": user.is_admin,
        "email_verified": user.email_verified,
        "sso_provider": None,
        "can_share_publicly": False,
        "preferences": {**users.preferences(user), **urls},
        "group_memberships": users.memberships_of(user.id),
    }


@blp.route("/users/me")
class Me(MethodView):
    """The caller."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="getCurrentUser")
    @blp.response(200, UserOut)
    def get(self) -> Any:
        """Return the user of the token."""
        return shown(users.get(actor().user_id))

    @needs(Scope.WRITE, RateClass.WRITE)
    @blp.doc(operationId="updateCurrentUser")
    @blp.arguments(UserUpdateIn)
    @blp.response(200, UserOut)
    def patch(self, changes: dict[str, Any]) -> Any:
        """Change the caller's profile and preferences, or, with the current one, the password."""
        new, current = changes.pop("password", None), changes.pop("current_password", None)
        password = None
        if new is not None:
            count_guess(actor().username)  # before the guess is checked, so that no guess is free
            password = users.new_password(actor(), current=current or "", new=new)
            guessed_right(actor().username)
        targets = _checked_webhooks(changes.get("preferences", {}).pop(ACCOUNT_WEBHOOKS, {}))
        with unit_of_work():
            user = users.update(actor(), changes, password)
            account_webhooks.put(actor(), targets)
            return shown(user)


def _checked_webhooks(urls: Mapping[str, str | None]) -> Sequence[account_webhooks.Target]:
    """Check the addresses of account webhooks; host names are resolved now."""
    if not urls:
        return ()
    release()
    return account_webhooks.check(actor(), families.account_webhooks(), urls)


@blp.route("/users/me/voices")
class MyVoices(MethodView):
    """The voice data of a user."""

    @needs(Scope.WRITE, RateClass.WRITE)
    @blp.doc(operationId="deleteVoices")
    @blp.response(200, VoicesDeletedOut)
    def delete(self) -> Any:
        """Delete all voice data of your recordings, and all voice profiles. Names stay."""
        with unit_of_work():
            return {"success": True, "deleted": voice_profiles.delete_all(actor())}


@blp.route("/users")
class Users(MethodView):
    """Other users."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="findUsers")
    @blp.arguments(UserQuery, location="query")
    @blp.response(200, UsersFoundOut)
    def get(self, query: dict[str, Any]) -> Any:
        """Find users to share with, by part of a name: at most 20."""
        return {"users": users.search(actor(), query["query"])}


@blp.route("/settings/auto-summarization")
class AutoSummarization(MethodView):
    """One preference at an address of its own."""

    @needs(Scope.WRITE, RateClass.WRITE)
    @blp.doc(operationId="setAutoSummarization")
    @blp.arguments(AutoSummarizationIn)
    @blp.response(200, AutoSummarizationOut)
    def put(self, body: dict[str, Any]) -> Any:
        """Turn automatic summaries after transcriptions on or off, for the caller."""
        if "enabled" not in body:
            raise Invalid("enabled field is required", errors={"enabled": ["is required"]})
        with unit_of_work():
            users.update(actor(), {"preferences": {"auto_summarization": body["enabled"]}})
        return {"success": True, "auto_summarization": body["enabled"]}


@blp.route("/stats")
class Stats(MethodView):
    """Figures for dashboards."""

    @needs(Scope.READ, RateClass.STATS)
    @blp.doc(operationId="getStats")
    @blp.arguments(StatsQuery, location="query")
    @blp.response(200, StatsOut)
    def get(self, query: dict[str, Any]) -> Response:
        """Return figures of recordings, storage, queue and usage: your own, or all users' for administrators."""
        if query["scope"] not in {"user", "all"}:
            raise Invalid("scope is user or all.", errors={"scope": ["must be user or all"]})
        who = actor()
        return json_response(stats.for_everybody(who) if query["scope"] == "all" else stats.for_user(who))
