"""The audio of a recording, and its live events."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from flask.views import MethodView
from marshmallow import fields

from speakr.api.blueprint import noun
from speakr.api.recordings import status_body
from speakr.api.schemas.fields import QueryBoolean
from speakr.db import release
from speakr.domain.errors import NotFound
from speakr.domain.permissions import Permission, Scope
from speakr.services.accounts import credentials
from speakr.services.recordings import access
from speakr.web import live
from speakr.web.downloads import send_stored
from speakr.web.identity import actor, needs
from speakr.web.rate_limits import RateClass
from speakr.web.wire import Wire

blp = noun("audio", "The audio of a recording, and its live progress")


_EVENT: dict[str, Any] = {
    "type": "object",
    "description": "One event of the stream; `data` is JSON text.",
    "properties": {
        "id": {"type": "string"},
        "event": {"type": "string", "enum": ["status", "progress", "segment", "transcript", "deleted"]},
        "data": {"type": "string"},
        "retry": {"type": "integer"},
    },
}


class AudioQuery(Wire):
    """How to send the file."""

    download = QueryBoolean(load_default=False, metadata={"description": "true: as an attachment"})


class LiveQuery(Wire):
    """Where to continue."""

    last_event_id = fields.String(metadata={"description": "For clients that cannot send Last-Event-ID."})


@blp.route("/recordings/<id:recording_id>/audio")
class Audio(MethodView):
    """The stored audio file."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="getAudio")
    @blp.arguments(AudioQuery, location="query")
    @blp.response(200, {"type": "string", "format": "binary"}, content_type="audio/*")
    @blp.alt_response(206, schema={"type": "string", "format": "binary"}, content_type="audio/*")
    @blp.alt_response(304, description="Not modified")
    @blp.alt_response(416, description="The range lies outside the file")
    def get(self, query: dict[str, Any], recording_id: int) -> Response:
        """Download or play the recording, all of it or a range."""
        recording = access.get(actor(), recording_id, Permission.VIEW)
        if recording.storage_key is None:
            raise NotFound("Audio has been deleted", code="audio_deleted")
        try:
            return send_stored(
                request,
                recording.storage_key,
                filename=recording.original_filename,
                mime_type=recording.mime_type,
                etag=f"{recording.id}-{recording.sha256[:32]}",
                as_attachment=query["download"],
                missing_message="Audio file not found",
            )
        finally:
            release()


@blp.route("/recordings/<id:recording_id>/live")
class Live(MethodView):
    """Live events of a recording."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="watchRecording")
    @blp.arguments(LiveQuery, location="query")
    @blp.response(200, _EVENT, content_type="text/event-stream")
    def get(self, query: dict[str, Any], recording_id: int) -> Response:
        """Stream progress and segments as server-sent events. `Last-Event-ID` continues where a client stopped."""
        who = actor()
        access.get(who, recording_id, Permission.VIEW)

        def may_see() -> bool:
            return credentials.still_valid(who) and access.may_see(who, recording_id)

        def snapshot() -> dict[str, Any] | None:
            try:
                return status_body(who, recording_id) if credentials.still_valid(who) else None
            except NotFound:
                return None

        last = request.headers.get("Last-Event-ID") or query.get("last_event_id")
        return live.stream(recording_id, last, snapshot, may_see, user_id=who.user_id)
