"""Sessions: a page of them, and one. `/notes/` is the same under the name that an earlier version of the API used."""

from __future__ import annotations

from flask import Blueprint, Response, request

from speakr.compat.audioscribe.schemas import PAGE_SIZE, SESSION_KEYS
from speakr.domain.errors import Invalid
from speakr.domain.paging import Window
from speakr.domain.permissions import Scope
from speakr.offload import run_cpu
from speakr.services.recordings import flat
from speakr.web.identity import actor, needs
from speakr.web.json import json_response
from speakr.web.rate_limits import RateClass

blp = Blueprint("sessions", __name__)

_MAX_DIGITS = 18
"""Longer numbers are beyond the end of any list."""


@blp.get("/sessions/")
@blp.get("/notes/", endpoint="notes")
@needs(Scope.READ, RateClass.GET)
def list_sessions() -> Response:
    """List your finished recordings, newest first, as a bare array of at most 20."""
    found = flat.list_page(actor(), Window(_page() * PAGE_SIZE, PAGE_SIZE))
    return run_cpu(lambda: json_response([session.as_object(SESSION_KEYS) for session in found]))


@blp.get("/sessions/<id:session_id>/")
@blp.get("/notes/<id:session_id>/", endpoint="note")
@needs(Scope.READ, RateClass.GET)
def get_session(session_id: int) -> Response:
    """Return one finished recording of yours."""
    return json_response(flat.get(actor(), session_id).as_object(SESSION_KEYS))


def _page() -> int:
    """Return the page of the query, counted from 0."""
    text = request.args.get("page", "0").strip() or "0"
    if not (text.isascii() and text.isdigit()):
        raise Invalid(
            "page must be a whole number from 0.", errors={"page": ["must be a whole number from 0"]}
        )
    return int(text[:_MAX_DIGITS])
