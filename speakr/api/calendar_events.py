"""Dated events found in recordings, as JSON and as calendar files."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from speakr.api import presenters
from speakr.api.blueprint import noun
from speakr.api.schemas.recordings import CalendarEventListOut
from speakr.domain.errors import NotFound
from speakr.domain.permissions import Permission, Scope
from speakr.services.language import calendar_events, insights
from speakr.services.recordings import access
from speakr.web.identity import actor, needs
from speakr.web.json import json_response
from speakr.web.rate_limits import RateClass

blp = noun("calendar_events", "Dated events found in recordings")

_CONTENT_TYPE = f"{calendar_events.MEDIA_TYPE}; charset=utf-8"
_FILE: dict[str, Any] = {"type": "string", "format": "binary"}


@blp.route("/recordings/<id:recording_id>/events")
class RecordingEvents(MethodView):
    """The dated events of one recording."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="listRecordingEvents")
    @blp.response(200, CalendarEventListOut)
    def get(self, recording_id: int) -> Response:
        """List the dated events of a recording, by time."""
        recording = access.get(actor(), recording_id, Permission.VIEW)
        found = calendar_events.of_recording(recording.id)
        sources = calendar_events.sources_of(found)
        is_stale = insights.is_stale(recording.id)
        events = [
            presenters.calendar_event(event) | more | {"stale": is_stale and event.is_extracted}
            for event, more in zip(found, sources, strict=True)
        ]
        return json_response({"events": events})


@blp.route("/recordings/<id:recording_id>/events/ics")
class RecordingEventsFile(MethodView):
    """The dated events of one recording as a calendar file."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="downloadRecordingEvents")
    @blp.response(200, _FILE, content_type=calendar_events.MEDIA_TYPE)
    def get(self, recording_id: int) -> Response:
        """Download the dated events of a recording (RFC 5545)."""
        recording = access.get(actor(), recording_id, Permission.VIEW)
        found = calendar_events.of_recording(recording.id)
        if not found:
            raise NotFound("No events found", code="no_events")
        response = Response(calendar_events.as_file(found), content_type=_CONTENT_TYPE)
        response.headers["Content-Disposition"] = f"attachment; filename=events-{recording.id}.ics"
        return response


@blp.route("/calendar.ics")
class CalendarFeed(MethodView):
    """All events of a user, for calendar programs."""

    @needs(Scope.CALENDAR, RateClass.GET)
    @blp.doc(operationId="getCalendarFeed")
    @blp.response(200, _FILE, content_type=calendar_events.MEDIA_TYPE)
    def get(self) -> Response:
        """Return the dated events of all your recordings as a calendar.

        Programs that send no headers use `?token=`, best with a token that has the scope `calendar` only.
        """
        return Response(
            calendar_events.as_file(calendar_events.of_actor(actor()), name="Speakr"),
            content_type=_CONTENT_TYPE,
        )
