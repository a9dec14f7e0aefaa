"""Clio's accounts: register, log in, refresh, log out, the profile, and figures."""

from __future__ import annotations

from typing import Any

from speakr.compat.clio import schemas_accounts as schemas
from speakr.compat.clio.noun import ANONYMOUS_RATE, PREFIX, READ, USER_RATE, WRITE, noun
from speakr.db import unit_of_work
from speakr.services.accounts import storage_use, users
from speakr.services.recordings import totals
from speakr.web.authenticators.jwt_pair import JwtPair
from speakr.web.identity import actor, public
from speakr.web.token_routes import Exchange, TokenRoutes

PAIRS = JwtPair(access_path="/", refresh_path=f"{PREFIX}/api/auth/", needs_csrf_token=False, names_user=True)
"""Clio's web client sends no CSRF header, so the origin of its page is the proof."""

blp, stats, health = (
    noun("accounts", "Accounts and tokens"),
    noun("stats", "Figures"),
    noun("health", "Whether the server answers"),
)

TokenRoutes(
    pairs=PAIRS,
    public_rate=ANONYMOUS_RATE,
    user_rate=USER_RATE,
    register=Exchange(takes=schemas.RegisterIn, gives=schemas.RegisteredAnswerOut),
    login=Exchange(takes=schemas.LoginIn, gives=schemas.TokensOut),
    refresh=Exchange(takes=schemas.RefreshIn, gives=schemas.TokensOut),
    logout=Exchange(takes=schemas.LogoutIn, gives=schemas.AnswerOut),
    show_user=lambda user: schemas.UserOut().dump({"user": user}),
    registered=schemas.registered,
    tokens=schemas.tokens,
    logged_out={"success": True, "message": "Logged out successfully"},
).add(blp)


@blp.operation("GET", "/auth/profile/", READ, gives=schemas.ProfileAnswerOut)
def profile() -> Any:
    """Return the profile."""
    return {"success": True, "data": {"user": users.get(actor().user_id)}}


@blp.route("/auth/profile/", methods=["PUT", "PATCH"])
@WRITE
@blp.arguments(schemas.ProfileIn)
@blp.response(200, schemas.ProfileAnswerOut)
def change_profile(changes: dict[str, Any]) -> Any:
    """Change the language and the audio quality; clients send the whole profile, whose other fields are ignored."""
    if changes:
        with unit_of_work():
            users.update(actor(), {"preferences": changes})
    return {"success": True, "message": "Profile updated successfully", "data": profile()["data"]}


@stats.operation("GET", "/stats/", READ, gives=schemas.StatsAnswerOut, name="clio-stats.stats.get")
def show_stats() -> Any:
    """Return the figures as they are now."""
    who = actor()
    return {"success": True, "data": {"totals": totals.of_user(who), "use": storage_use.of_user(who.user_id)}}


@health.operation("GET", "/health/", public, gives=schemas.HealthOut, name="clio-health.health.get")
def show_health() -> Any:
    """Say that the server answers. It is not counted."""
    return {"status": "ok"}
