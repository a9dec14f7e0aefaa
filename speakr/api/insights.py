"""Key points, action items, chapters and topics."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent
from speakr.api.jobs import queued
from speakr.api.schemas.insights import InsightsOut
from speakr.api.schemas.jobs import QueuedOut
from speakr.db import unit_of_work
from speakr.domain.permissions import Permission, Scope
from speakr.services.jobs import processing
from speakr.services.language import insights
from speakr.services.recordings import access
from speakr.web.identity import actor, needs
from speakr.web.json import json_response
from speakr.web.rate_limits import RateClass

blp = noun("insights", "Key points, action items, chapters and topics of recordings")


@blp.route("/recordings/<id:recording_id>/insights")
class RecordingInsights(MethodView):
    """The insights of one recording."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="getInsights")
    @blp.response(200, InsightsOut)
    def get(self, recording_id: int) -> Response:
        """Return key points, action items, chapters and topics, each with its sources."""
        recording = access.get(actor(), recording_id, Permission.VIEW)
        return json_response(insights.of_recording(recording.id))


@blp.route("/recordings/<id:recording_id>/extract")
class Extract(MethodView):
    """Extraction of insights."""

    @needs(Scope.PROCESS, RateClass.PROCESSING)
    @idempotent
    @blp.doc(operationId="extractInsights")
    @blp.response(200, QueuedOut)
    def post(self, recording_id: int) -> Any:
        """Queue the extraction of insights and dated events; the earlier ones stay until it is complete."""
        with unit_of_work():
            job, is_new = processing.extract(actor(), recording_id)
            return queued(job, is_new, "Extraction")
