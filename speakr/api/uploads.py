"""Uploads of a recording as a multipart form: this module parses the form, a service does the rest."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from flask import Response, request
from flask.views import MethodView

from speakr.api import idempotent
from speakr.api.blueprint import noun
from speakr.api.schemas.upload_form import UploadForm, UploadOut
from speakr.api.upload_form import read_form
from speakr.domain.permissions import Scope
from speakr.services.recordings import uploads
from speakr.services.recordings.intake import Duplicate
from speakr.services.recordings.uploads import IncomingFile
from speakr.web.identity import actor, needs
from speakr.web.json import json_response
from speakr.web.multipart import ReceivedUpload, multipart_body, receive_upload
from speakr.web.rate_limits import RateClass
from speakr.web.wire import moment

blp = noun("uploads", "Uploads of recordings")

_OPERATION = "uploadRecording"


@blp.route("/recordings/upload")
class Upload(MethodView):
    """A recording in one request."""

    @needs(Scope.WRITE, RateClass.PROCESSING)
    @idempotent.idempotent_stream(_OPERATION)
    @blp.doc(operationId=_OPERATION, **multipart_body(UploadForm))
    @blp.response(202, UploadOut)
    def post(self) -> Response:
        """Upload audio or video; transcription is queued at once.

        With an `Idempotency-Key` header the same upload sent again gets the same answer and is stored once.
        """
        with uploads.begin() as incoming:
            received = receive_upload(request, incoming, on_progress=idempotent.keep_key)
            filename = received.require_file().filename
            idempotent.identify(_fingerprint(incoming, filename, received))
            form = read_form(received.fields, filename)
            recording, duplicate = incoming.complete(actor(), form)
        return json_response(upload_body(recording, duplicate), 202)


def _fingerprint(incoming: IncomingFile, filename: str, received: ReceivedUpload) -> str:
    """Return the fingerprint of an upload: its bytes, its name and its fields."""
    request_key = json.dumps(
        [incoming.sha256, filename, sorted(received.fields.items(multi=True))], ensure_ascii=True
    )
    return hashlib.sha256(request_key.encode()).hexdigest()


def upload_body(recording: Any, duplicate: Duplicate | None) -> dict[str, Any]:
    """Return the response to an upload."""
    body: dict[str, Any] = {
        "id": recording.id,
        "title": recording.title,
        "status": recording.status.value,
        "created_at": moment(recording.created_at),
        "meeting_date": moment(recording.meeting_date),
        "file_size": recording.file_size,
        "original_filename": recording.original_filename,
        "mime_type": recording.mime_type,
        "notes": recording.notes,
        "keep_audio_only": recording.keep_audio_only,
    }
    if duplicate is not None:
        body["duplicate_warning"] = {
            "existing_recording_id": duplicate.recording_id,
            "existing_title": duplicate.title,
            "existing_created_at": moment(duplicate.created_at),
        }
    return body
