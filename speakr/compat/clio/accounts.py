"""Clio's accounts: tokens, the profile, and figures; and whether the server answers."""

from __future__ import annotations

from typing import Any

from speakr.compat.clio import schemas_accounts as shapes
from speakr.compat.clio.noun import ANONYMOUS_RATE, PREFIX, READ, USER_RATE, WRITE, noun
from speakr.db import unit_of_work
from speakr.services.accounts import storage_use, users
from speakr.services.recordings import totals
from speakr.web.authenticators.jwt_pair import JwtPair
from speakr.web.identity import actor, public
from speakr.web.token_routes import TokenRoutes

PAIRS = JwtPair(access_path="/", refresh_path=f"{PREFIX}/api/auth/", needs_csrf_token=False, names_user=True)
"""Clio's web client sends no CSRF header, so the origin of its page is the proof."""

blp = noun("accounts", "Accounts, tokens and figures")
TokenRoutes(pairs=PAIRS, public_rate=ANONYMOUS_RATE, user_rate=USER_RATE, shapes=shapes.TOKENS).add(blp)


@blp.operation("GET /auth/profile/", READ, gives=shapes.ProfileAnswerOut)
def get_profile() -> Any:
    """Return the profile."""
    return {"success": True, "data": {"user": users.get(actor().user_id)}}


@blp.operation("PUT,PATCH /auth/profile/", WRITE, takes=shapes.ProfileIn, gives=shapes.ProfileAnswerOut)
def change_profile(changes: dict[str, Any]) -> Any:
    """Change the language and the audio quality; clients send the whole profile, whose other fields are ignored."""
    if changes:
        with unit_of_work():
            users.update(actor(), {"preferences": changes})
    user = users.get(actor().user_id)
    return {"success": True, "message": "Profile updated successfully", "data": {"user": user}}


@blp.operation("GET /stats/", READ, gives=shapes.StatsAnswerOut)
def get_stats() -> Any:
    """Return the figures as they are now."""
    who = actor()
    return {"success": True, "data": {"totals": totals.of_user(who), "use": storage_use.of_user(who.user_id)}}


@blp.operation("GET /health/", public, gives=shapes.HealthOut)
def check_health() -> Any:
    """Say that the server answers. It is not counted."""
    return {"status": "ok"}
