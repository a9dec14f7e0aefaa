"""The routes of the Whisper ASR webservice: options in the query, the file as `audio_file`."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, Response, current_app, request

from speakr.compat.asr_webservice import schemas, schemas_query
from speakr.domain.clips import ClipOptions, ClipResult
from speakr.domain.permissions import Scope
from speakr.services import exports
from speakr.web import clips
from speakr.web.identity import actor, needs
from speakr.web.json import json_response
from speakr.web.rate_limits import RateClass

blp = Blueprint("asr", __name__)


@blp.post("/asr", strict_slashes=False)
@needs(Scope.PROCESS, RateClass.PROCESSING)
def transcribe() -> Response:
    """Transcribe a file."""
    wanted = schemas_query.read(request.args)
    result = _result_of(wanted.options)
    if wanted.output == "json":
        return json_response(schemas.body(result, has_words=wanted.has_words))
    return current_app.response_class(_written(result, wanted.output), mimetype="text/plain")


@blp.post("/detect-language", strict_slashes=False)
@needs(Scope.PROCESS, RateClass.PROCESSING)
def detect_language() -> Response:
    """Tell in which language a file is spoken."""
    return json_response(schemas.language(_result_of(ClipOptions())))


def _result_of(options: ClipOptions) -> ClipResult:
    return clips.result_of(clips.receive(lambda _: options, file_field="audio_file"))


def _written(result: ClipResult, output: str) -> str:
    if output in schemas.WRITERS:
        return schemas.WRITERS[output](result)
    segments = [each if result.speakers else replace(each, speaker="") for each in result.segments]
    return "".join(str(piece) for piece in exports.export(actor(), output, segments).pieces)
