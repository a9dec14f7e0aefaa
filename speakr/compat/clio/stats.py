"""Clio's figures of a user's notes."""

from __future__ import annotations

from typing import Any

from speakr.compat.clio.noun import USER_RATE, noun
from speakr.compat.clio.schemas_accounts import StatsAnswerOut
from speakr.domain.permissions import Scope
from speakr.services.accounts import storage_use
from speakr.services.recordings import totals
from speakr.web.identity import actor, needs

blp = noun("stats", "Figures")


@blp.route("/stats/", methods=["GET"])
@needs(Scope.READ, USER_RATE)
@blp.response(200, StatsAnswerOut)
def stats() -> Any:
    """Return the figures as they are now."""
    who = actor()
    return {"success": True, "data": {"totals": totals.of_user(who), "use": storage_use.of_user(who.user_id)}}
