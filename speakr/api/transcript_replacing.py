"""Find and replace in transcripts."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent
from speakr.api.schemas.transcript_corrections import ReplacedOut, ReplaceIn
from speakr.domain.permissions import Scope
from speakr.domain.text_replacement import Replacement
from speakr.services.corrections import replacing
from speakr.web.identity import actor, needs
from speakr.web.json import json_response
from speakr.web.rate_limits import RateClass

blp = noun("replacing", "Find and replace in transcripts")


@blp.route("/recordings/batch/replace")
class ReplaceInTranscripts(MethodView):
    """Text in the transcripts of many recordings."""

    @needs(Scope.WRITE, RateClass.BATCH)
    @idempotent
    @blp.doc(operationId="replaceInTranscripts")
    @blp.arguments(ReplaceIn)
    @blp.response(200, ReplacedOut)
    def post(self, body: dict[str, Any]) -> Response:
        """Find text in transcripts; show what would be replaced, or replace it."""
        wanted = Replacement(
            body["find"],
            body["replace"],
            match_case=body["match_case"],
            whole_words=body["whole_words"],
        )
        scope = replacing.Scope(
            body.get("recording_ids"), body.get("tag_id"), body.get("folder_id"), body["after_id"]
        )
        found = replacing.run(actor(), scope, wanted, is_preview=body["preview"])
        return json_response(
            {
                "preview": body["preview"],
                "matches": sum(each.matches for each in found.recordings),
                "recordings": [_shown(each) for each in found.recordings],
                "next_after": found.next_after,
            }
        )


def _shown(outcome: replacing.Outcome) -> dict[str, Any]:
    return {
        "id": outcome.recording_id,
        "title": outcome.title,
        "matches": outcome.matches,
        "examples": [
            {
                "segment_index": place.segment_index,
                "start_time": place.start,
                "before": place.example.before,
                "after": place.example.after,
            }
            for place in outcome.examples
        ],
        "revision": outcome.revision,
        "error": outcome.error,
    }
