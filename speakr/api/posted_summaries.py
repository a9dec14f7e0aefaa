"""Summaries of texts that are posted and not kept."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent
from speakr.api.schemas.posted_summaries import PostedSummaryIn, PostedSummaryOut
from speakr.db import unit_of_work
from speakr.domain.permissions import Scope
from speakr.domain.posted_texts import lines_of_segments, lines_of_text
from speakr.offload import run_cpu
from speakr.services.language import posted_summaries
from speakr.services.language.posted_summaries import View
from speakr.web.identity import actor, needs
from speakr.web.json import json_response
from speakr.web.rate_limits import RateClass
from speakr.web.wire import moment

blp = noun("summaries", "Summaries of texts that are not kept")


@blp.route("/summaries")
class Summaries(MethodView):
    """Summaries of posted texts."""

    @needs(Scope.PROCESS, RateClass.PROCESSING)
    @idempotent
    @blp.doc(operationId="summarizeText")
    @blp.arguments(PostedSummaryIn)
    @blp.response(202, PostedSummaryOut, description="Queued; `GET /summaries/{summary_id}` has the summary.")
    def post(self, body: dict[str, Any]) -> Response:
        """Queue a summary of a posted text. The text is erased when the job ends, the summary after a day."""
        lines = run_cpu(
            lambda: (
                lines_of_segments(body["transcript"]) if body["transcript"] else lines_of_text(body["text"])
            )
        )
        with unit_of_work():
            made = _body(posted_summaries.create(actor(), lines, body["format"], body["max_words"]))
        response = json_response(made, 202)
        response.headers["Location"] = f"/api/v1/summaries/{made['id']}"
        return response


@blp.route("/summaries/<id:summary_id>")
class Summary(MethodView):
    """One summary."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="getSummaryOfText")
    @blp.response(200, PostedSummaryOut)
    def get(self, summary_id: int) -> Response:
        """Return a summary and the state of its job."""
        return json_response(_body(posted_summaries.get(actor(), summary_id)))


def _body(view: View) -> dict[str, Any]:
    job, written = view.job, view.written
    return {
        "id": job.id,
        "job_id": str(job.id),
        "state": job.state.value,
        "progress": job.progress,
        "format": view.format.value,
        "max_words": view.max_words,
        "summary": written.summary if written else None,
        "topics": list(written.topics) if written else [],
        "words": written.words if written else 0,
        "engine": written.engine if written else None,
        "error_code": job.error_code,
        "error_message": job.error_message,
        "created_at": moment(job.created_at),
        "expires_at": moment(view.expires_at),
    }
