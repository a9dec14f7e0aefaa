"""Corrections of single segments of a transcript, and of ranges."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from speakr.api.at_version import at_version
from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent
from speakr.api.schemas.transcript_corrections import (
    OneSegmentOut,
    SegmentIn,
    SegmentRangeIn,
    SegmentSpeakerIn,
    SplitSegmentIn,
    TranscriptEditedOut,
)
from speakr.api.transcript_shapes import edited, segment_json
from speakr.api.transcripts import Transcript
from speakr.domain.permissions import Scope
from speakr.domain.transcript_edits import get
from speakr.services.corrections import corrections, history
from speakr.web.identity import actor, needs
from speakr.web.json import json_response
from speakr.web.rate_limits import RateClass

blp = noun("segments", "Corrections of single segments of a transcript")

_TRANSCRIPT = "/recordings/<id:recording_id>/transcript"


def read_transcript(ids: dict[str, int]) -> Any:
    """Return the response of `GET .../transcript`, whose tag is that of the whole transcript."""
    return Transcript().get(recording_id=ids["recording_id"])


def _read_segment(ids: dict[str, int]) -> Any:
    return Segment().get(**ids)


@blp.route(f"{_TRANSCRIPT}/segments/<number:index>")
class Segment(MethodView):
    """One segment."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="getSegment")
    @blp.response(200, OneSegmentOut)
    def get(self, recording_id: int, index: int) -> Response:
        """Return one segment with its words."""
        _, segments = history.read(actor(), recording_id, history.CURRENT)
        shown = segment_json(get(segments, index), with_words=True)
        return json_response(shown | {"segment_index": index})

    @needs(Scope.WRITE, RateClass.WRITE)
    @at_version(_read_segment)
    @blp.doc(operationId="correctSegment")
    @blp.arguments(SegmentIn)
    @blp.response(200, TranscriptEditedOut)
    def patch(self, body: dict[str, Any], recording_id: int, index: int, revision: int | None) -> Any:
        """Change text, speaker or times of a segment. An empty text deletes it."""
        return edited(corrections.change_segment(actor(), recording_id, index, body, revision=revision))

    @needs(Scope.WRITE, RateClass.WRITE)
    @at_version(_read_segment)
    @blp.doc(operationId="deleteSegment")
    @blp.response(200, TranscriptEditedOut)
    def delete(self, recording_id: int, index: int, revision: int | None) -> Any:
        """Delete a segment."""
        return edited(corrections.delete(actor(), recording_id, index, index, revision=revision))


@blp.route(f"{_TRANSCRIPT}/segments/<number:index>/split")
class SplitSegment(MethodView):
    """A split of one segment."""

    @needs(Scope.WRITE, RateClass.WRITE)
    @idempotent
    @at_version(_read_segment)
    @blp.doc(operationId="splitSegment")
    @blp.arguments(SplitSegmentIn)
    @blp.response(200, TranscriptEditedOut)
    def post(self, body: dict[str, Any], recording_id: int, index: int, revision: int | None) -> Any:
        """Split a segment before a word, or at a time. The first part keeps the id."""
        return edited(corrections.split(actor(), recording_id, index, body, revision=revision))


@blp.route(f"{_TRANSCRIPT}/segments/merge")
class MergeSegments(MethodView):
    """A merge of adjacent segments."""

    @needs(Scope.WRITE, RateClass.WRITE)
    @idempotent
    @at_version(read_transcript)
    @blp.doc(operationId="mergeSegments")
    @blp.arguments(SegmentRangeIn)
    @blp.response(200, TranscriptEditedOut)
    def post(self, body: dict[str, Any], recording_id: int, revision: int | None) -> Any:
        """Merge adjacent segments; the result has the id and the speaker of the first."""
        return edited(
            corrections.merge(actor(), recording_id, body["first"], body["last"], revision=revision)
        )


@blp.route(f"{_TRANSCRIPT}/segments/delete")
class DeleteSegments(MethodView):
    """A deletion of several segments."""

    @needs(Scope.WRITE, RateClass.WRITE)
    @idempotent
    @at_version(read_transcript)
    @blp.doc(operationId="deleteSegments")
    @blp.arguments(SegmentRangeIn)
    @blp.response(200, TranscriptEditedOut)
    def post(self, body: dict[str, Any], recording_id: int, revision: int | None) -> Any:
        """Delete a range of segments."""
        return edited(
            corrections.delete(actor(), recording_id, body["first"], body["last"], revision=revision)
        )


@blp.route(f"{_TRANSCRIPT}/segments/speaker")
class SegmentsSpeaker(MethodView):
    """The speaker of segments."""

    @needs(Scope.WRITE, RateClass.WRITE)
    @idempotent
    @at_version(read_transcript)
    @blp.doc(operationId="setSpeakerOfSegments")
    @blp.arguments(SegmentSpeakerIn)
    @blp.response(200, TranscriptEditedOut)
    def post(self, body: dict[str, Any], recording_id: int, revision: int | None) -> Any:
        """Set the speaker of a range of segments, or of some words of one."""
        return edited(corrections.set_speaker(actor(), recording_id, body, revision=revision))
