"""Clio's tokens: JWTs in bodies and, for its web client, in cookies that scripts cannot read."""

from __future__ import annotations

from speakr.compat.clio.noun import PREFIX
from speakr.web.authenticators.jwt_pair import JwtPair

PAIRS = JwtPair(access_path="/", refresh_path=f"{PREFIX}/api/auth/", needs_csrf_token=False, names_user=True)
"""The web client sends no CSRF header, so the origin of a page is its proof."""
