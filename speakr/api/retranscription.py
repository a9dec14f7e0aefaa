"""A second transcription of one segment, for which the request waits."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent_and_slow
from speakr.api.schemas.retranscription import RetranscribedOut, RetranscribeIn
from speakr.domain.clips import ClipOptions
from speakr.domain.permissions import Scope
from speakr.services.speech import model_names, retranscription
from speakr.web import clips
from speakr.web.identity import actor, needs
from speakr.web.rate_limits import RateClass

blp = noun("retranscriptions", "Second transcriptions of single segments")


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
        options = ClipOptions(
            language=body["language"] or None,
            model=model_names.choose(body["transcription_model"]),
            hotwords=body["hotwords"],
            prompt=body["initial_prompt"],
        )
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
