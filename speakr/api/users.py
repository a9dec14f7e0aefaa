"""Whoever asks, and their numbers."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.schemas.users import StatsOut, StatsQuery, UserOut
from speakr.domain.errors import Invalid
from speakr.domain.permissions import Scope
from speakr.services import stats, users
from speakr.web.identity import actor, needs
from speakr.web.json import json_response
from speakr.web.rate_limits import RateClass

blp = noun("users", "Whoever asks")


@blp.route("/users/me")
class Me(MethodView):
    """The caller."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="getCurrentUser")
    @blp.response(200, UserOut)
    def get(self) -> Any:
        """Tell who the token belongs to."""
        user = users.get(actor().user_id)
        return {
            "id": user.id,
            "username": user.username,
            "email": user.email,
            "name": user.name,
            "job_title": user.job_title,
            "company": user.company,
            "is_admin": user.is_admin,
            "email_verified": user.email is not None,
            "sso_provider": None,
            "can_share_publicly": False,
            "preferences": users.preferences(user),
            "group_memberships": [],
        }


@blp.route("/stats")
class Stats(MethodView):
    """Numbers for dashboards."""

    @needs(Scope.READ, RateClass.STATS)
    @blp.doc(operationId="getStats")
    @blp.arguments(StatsQuery, location="query")
    @blp.response(200, StatsOut)
    def get(self, query: dict[str, Any]) -> Response:
        """Count recordings, storage, queue and usage: the caller's, or everybody's for admins."""
        if query["scope"] not in {"user", "all"}:
            raise Invalid("scope is user or all.", errors={"scope": ["must be user or all"]})
        who = actor()
        return json_response(stats.for_everybody(who) if query["scope"] == "all" else stats.for_user(who))
