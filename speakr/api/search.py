"""Search in transcripts, summaries and notes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import Response
from flask.views import MethodView

from speakr.api import presenters
from speakr.api.blueprint import noun
from speakr.api.recordings import filters_of
from speakr.api.schemas.search import BIGGEST_PAGE, SearchOut, SearchQuery
from speakr.domain.permissions import Scope
from speakr.domain.search import Mode, parse
from speakr.services.search import by_meaning, by_words
from speakr.services.search.matching import Match
from speakr.web.identity import actor, needs
from speakr.web.json import json_response
from speakr.web.rate_limits import RateClass

blp = noun("search", "Words in transcripts, summaries and notes")


@blp.route("/search")
class Search(MethodView):
    """Everything that a user may see."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="search")
    @blp.arguments(SearchQuery, location="query")
    @blp.response(200, SearchOut)
    def get(self, query: dict[str, Any]) -> Response:
        """Find recordings by words of their transcript, summary, notes, title or participants, or by meaning."""
        who, number, per_page = actor(), query["page"], query["per_page"]
        filters = replace(filters_of(query), text=None)  # here q is the search text
        place: Mapping[str, Any] = {"field": query.get("field"), "page": number, "per_page": per_page}
        if query["mode"] is Mode.WORDS:
            page, used = by_words.search(who, parse(query["q"]), filters, **place), Mode.WORDS
        else:
            page, used = by_meaning.find(who, query["q"], filters, mode=query["mode"], **place)
        results = [
            {
                "recording": presenters.recording_item(
                    row, page.tags.get(row.id, ()), page.folders, is_owner=row.user_id == who.user_id
                ),
                "matches": [_match(match) for match in page.matches[row.id]],
            }
            for row in page.rows
        ]
        pagination = {
            "page": number,
            "per_page": per_page,
            "total": page.total,
            "total_is_exact": page.is_total_exact,
            "total_pages": math.ceil(page.total / per_page) if page.is_total_exact else None,
            "has_next": page.has_next and number < BIGGEST_PAGE,
            "has_prev": number > 1,
        }
        return json_response({"results": results, "pagination": pagination, "mode_used": used.value})


def _match(match: Match) -> dict[str, Any]:
    return {
        "field": match.field.value,
        "snippet": match.snippet,
        "segment_id": match.segment_id,
        "start_time": match.start,
        "end_time": match.end,
        "speaker": match.speaker,
    }
