"""Events, for clients that poll instead of using webhooks."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.schemas.events import EventListOut, EventListQuery
from speakr.domain.permissions import Scope
from speakr.services.webhooks import events
from speakr.web.identity import actor, needs
from speakr.web.json import json_response
from speakr.web.rate_limits import RateClass

blp = noun("events", "Events of recordings")


@blp.route("/events")
class Events(MethodView):
    """Events of the caller's recordings."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="listEvents")
    @blp.arguments(EventListQuery, location="query")
    @blp.response(200, EventListOut)
    def get(self, query: dict[str, Any]) -> Response:
        """List the events of your recordings, newest first. For the next page, set `before` to the id of the last one."""
        found = events.list_for(
            actor(),
            since=query.get("since"),
            event_type=query.get("type"),
            before=query.get("before"),
            limit=query["limit"],
        )
        return json_response({"events": [events.envelope(event) for event in found], "limit": query["limit"]})
