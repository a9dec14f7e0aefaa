"""Second transcriptions of a segment and of a range, for which the request waits."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent_and_slow
from speakr.api.schemas.retranscription import (
    RetranscribedOut,
    RetranscribedRangeOut,
    RetranscribeIn,
    RetranscribeRangeIn,
)
from speakr.domain.clips import ClipOptions
from speakr.domain.permissions import Scope
from speakr.services.speech import model_names, retranscription
from speakr.services.speech.clips import submit_range
from speakr.web import clips
from speakr.web.identity import actor, needs
from speakr.web.rate_limits import RateClass

blp = noun("retranscriptions", "Second transcriptions of segments and ranges")


@blp.route("/recordings/<id:recording_id>/segments/<number:index>/retranscribe")
class Retranscribe(MethodView):
    """A second transcription of a segment."""

    @needs(Scope.PROCESS, RateClass.PROCESSING)
    @idempotent_and_slow
    @blp.doc(operationId="retranscribeSegment")
    @blp.arguments(RetranscribeIn, required=False)
    @blp.response(200, RetranscribedOut)
    def post(self, body: dict[str, Any], recording_id: int, index: int) -> Any:
        """Transcribe a segment again and answer with the new text; `apply` puts it into the transcript.

        The speaker stays, and the history keeps the old text. 503 with `Retry-After` when no worker is free in time.
        """
        options = _options(body)
        is_applied = bool(body["apply"])
        begun = retranscription.begin(actor(), recording_id, index, options, is_applied=is_applied)
        result = clips.result_of(begun.job_id)
        edited = retranscription.apply(actor(), begun, result) if is_applied else None
        return {
            "segment_index": index,
            "text": result.text,
            "old_text": begun.segment.text,
            "speaker": begun.segment.speaker,
            "start_time": begun.segment.start,
            "end_time": begun.segment.end,
            "language": result.language,
            "confidence": retranscription.confidence_of(result),
            "model": result.model,
            "applied": edited is not None,
            "revision": begun.revision if edited is None else edited.revision,
        }


@blp.route("/recordings/<id:recording_id>/retranscribe")
class RetranscribeRange(MethodView):
    """A second transcription of a range of a recording."""

    @needs(Scope.PROCESS, RateClass.PROCESSING)
    @idempotent_and_slow
    @blp.doc(operationId="retranscribeRange")
    @blp.arguments(RetranscribeRangeIn)
    @blp.response(200, RetranscribedRangeOut)
    def post(self, body: dict[str, Any], recording_id: int) -> Any:
        """Transcribe a range of a recording again and answer with its text; the transcript stays as it is.

        503 with `Retry-After` when no worker is free in time.
        """
        start, end = body["start"], body["end"]
        result = clips.result_of(submit_range(actor(), recording_id, start, end, _options(body)))
        segments = [
            {
                "sentence": each.text,
                "start_time": round(start + each.start, 3),
                "end_time": round(start + each.end, 3),
                "confidence": each.confidence,
            }
            for each in result.segments
        ]
        return {
            "text": result.text,
            "segments": segments,
            "start_time": start,
            "end_time": end,
            "language": result.language,
            "confidence": retranscription.confidence_of(result),
            "model": result.model,
        }


def _options(body: dict[str, Any]) -> ClipOptions:
    return ClipOptions(
        language=body["language"] or None,
        model=model_names.choose(body["transcription_model"]),
        hotwords=body["hotwords"],
        prompt=body["initial_prompt"],
    )
