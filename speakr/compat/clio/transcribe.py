"""Clio's transcription of a file within one request: a worker does it, and nothing is stored."""

from __future__ import annotations

from typing import Any

from flask import request
from flask.views import MethodView

from speakr.compat.clio.notes import AUDIO_FIELD, MAX_MB, MIN_BYTES
from speakr.compat.clio.noun import USER_RATE, noun
from speakr.compat.clio.schemas_notes import TranscribedOut, TranscribeForm, clip_json, language_of
from speakr.domain.permissions import Scope
from speakr.services.recordings import uploads
from speakr.services.speech import clips, paragraphs
from speakr.web.audio_form import naming_field, receive_audio
from speakr.web.clips import result_of
from speakr.web.identity import actor, needs
from speakr.web.multipart import multipart_body

blp = noun("transcribe", "Transcription without a note")


@blp.route("/transcribe/")
class Transcribe(MethodView):
    """A transcription in one request."""

    @needs(Scope.PROCESS, USER_RATE)
    @blp.doc(operationId="clioTranscribe", **multipart_body(TranscribeForm))
    @blp.response(200, TranscribedOut)
    def post(self) -> Any:
        """Transcribe audio of 1 KiB to 50 MB and answer with its text. 503 with `Retry-After` if no worker is free."""
        with uploads.begin(max_mb=MAX_MB) as incoming:
            received = receive_audio(request, incoming, file_field=AUDIO_FIELD, min_bytes=MIN_BYTES)
            language = language_of(received.fields.get("language") or "auto")
            with naming_field(AUDIO_FIELD):
                job_id = clips.submit(actor(), incoming, clips.ClipOptions(language=language))
        with naming_field(AUDIO_FIELD):
            result = result_of(job_id)
        text = paragraphs.format_segments(result.segments)
        return {"success": True, "data": clip_json(result, text)}
