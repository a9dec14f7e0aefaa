"""Merging recordings into one, and cutting one in two."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from speakr.api.at_version import at_version
from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent
from speakr.api.schemas.merging import CutRecordingIn, CutRecordingOut, DerivedOut, MergeRecordingsIn
from speakr.api.transcript_segments import read_transcript
from speakr.api.uploads import upload_body
from speakr.db import unit_of_work
from speakr.domain.permissions import Scope
from speakr.services.recordings import cutting, merging
from speakr.web.identity import actor, needs
from speakr.web.json import json_response
from speakr.web.rate_limits import RateClass

blp = noun("merging", "Merging recordings into one, and cutting one in two")


@blp.route("/recordings/merge")
class Merge(MethodView):
    """One recording of several."""

    @needs(Scope.WRITE, RateClass.PROCESSING)
    @idempotent
    @blp.doc(operationId="mergeRecordings")
    @blp.arguments(MergeRecordingsIn)
    @blp.response(202, DerivedOut)
    def post(self, body: dict[str, Any]) -> Response:
        """Make a new recording of several, with their audio and transcripts one after the other.

        Nothing is transcribed again: words, speakers and corrections are those of the originals, with later times.
        """
        with unit_of_work():
            recording = merging.merge(
                actor(),
                body["recording_ids"],
                title=body.get("title"),
                keep_originals=body["keep_originals"],
                gap_seconds=body["gap_seconds"],
            )
            return json_response(upload_body(recording, None), 202)


@blp.route("/recordings/<id:recording_id>/cut")
class Cut(MethodView):
    """Two recordings of one."""

    @needs(Scope.WRITE, RateClass.PROCESSING)
    @idempotent
    @at_version(read_transcript)
    @blp.doc(operationId="cutRecording")
    @blp.arguments(CutRecordingIn)
    @blp.response(202, CutRecordingOut)
    def post(self, body: dict[str, Any], recording_id: int, revision: int | None) -> Response:
        """Make two new recordings: what is before a time, and the rest.

        A word belongs to the side on which its middle lies. `If-Match` takes the `ETag` of the transcript.
        """
        with unit_of_work():
            halves = cutting.cut(
                actor(),
                recording_id,
                at=body["at"],
                titles=body.get("titles"),
                keep_original=body["keep_original"],
                revision=revision,
            )
            return json_response({"recordings": [upload_body(half, None) for half in halves]}, 202)
