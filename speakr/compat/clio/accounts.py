"""Clio's accounts: tokens, the profile, and figures."""

from __future__ import annotations

from typing import Any

from speakr.compat.clio import schemas_routes as routes
from speakr.compat.clio.noun import PREFIX
from speakr.db import unit_of_work
from speakr.services.accounts import storage_use, users
from speakr.services.recordings import totals
from speakr.web.authenticators.jwt_pair import JwtPair
from speakr.web.identity import actor

PAIRS = JwtPair(access_path="/", refresh_path=f"{PREFIX}/api/auth/", needs_csrf_token=False, names_user=True)
"""Clio's web client sends no CSRF header, so the origin of its page is the proof."""

routes.add_tokens(PAIRS)


@routes.GET_PROFILE
def profile() -> Any:
    """Return the profile."""
    return {"success": True, "data": {"user": users.get(actor().user_id)}}


@routes.CHANGE_PROFILE
def change_profile(changes: dict[str, Any]) -> Any:
    """Change the language and the audio quality; clients send the whole profile, whose other fields are ignored."""
    if changes:
        with unit_of_work():
            users.update(actor(), {"preferences": changes})
    user = users.get(actor().user_id)
    return {"success": True, "message": "Profile updated successfully", "data": {"user": user}}


@routes.GET_STATS
def stats() -> Any:
    """Return the figures as they are now."""
    who = actor()
    return {"success": True, "data": {"totals": totals.of_user(who), "use": storage_use.of_user(who.user_id)}}


@routes.GET_HEALTH
def health() -> Any:
    """Say that the server answers. It is not counted."""
    return {"status": "ok"}
