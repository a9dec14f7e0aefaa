"""Schemas of second transcriptions of a segment."""

from __future__ import annotations

from marshmallow import fields

from speakr.api.schemas.fields import Language, StrictBoolean, text
from speakr.web.wire import Wire


class RetranscribeIn(Wire):
    """How to transcribe a segment again; all optional."""

    apply = StrictBoolean(
        load_default=False, metadata={"description": "Put the new text into the transcript."}
    )
    language = Language(detection=None, load_default=None)
    hotwords = text(10_000, allow_none=True, load_default=None)
    initial_prompt = text(10_000, allow_none=True, load_default=None)
    transcription_model = text(120, allow_none=True, load_default=None)


class RetranscribeRangeIn(Wire):
    """A range of a recording, in seconds, and how to transcribe it."""

    start = fields.Float(
        required=True, allow_nan=False, metadata={"minimum": 0, "description": "Seconds.", "example": 0.0}
    )
    end = fields.Float(
        required=True, allow_nan=False, metadata={"minimum": 0, "description": "Seconds.", "example": 1.0}
    )
    language = Language(detection=None, load_default=None)
    hotwords = text(10_000, allow_none=True, load_default=None)
    initial_prompt = text(10_000, allow_none=True, load_default=None)
    transcription_model = text(120, allow_none=True, load_default=None)


class RetranscribedSegmentOut(Wire):
    """One segment; times in seconds of the recording."""

    sentence = fields.String(required=True)
    start_time = fields.Float(required=True)
    end_time = fields.Float(required=True)
    confidence = fields.Float(required=True, allow_none=True, metadata={"description": "0 to 1."})


class RetranscribedRangeOut(Wire):
    """The text of a range. The transcript of the recording has not changed."""

    text = fields.String(required=True)
    segments = fields.List(fields.Nested(RetranscribedSegmentOut), required=True)
    start_time = fields.Float(required=True)
    end_time = fields.Float(required=True)
    language = fields.String(required=True, allow_none=True)
    confidence = fields.Float(required=True, allow_none=True, metadata={"description": "0 to 1."})
    model = fields.String(required=True)


class RetranscribedOut(Wire):
    """The new text of a segment, and the segment as it was."""

    segment_index = fields.Integer(required=True, metadata={"description": "Counted from 0."})
    text = fields.String(required=True)
    old_text = fields.String(required=True)
    speaker = fields.String(required=True, metadata={"description": "The label, which stays."})
    start_time = fields.Float(required=True)
    end_time = fields.Float(required=True)
    language = fields.String(required=True, allow_none=True)
    confidence = fields.Float(required=True, allow_none=True, metadata={"description": "0 to 1."})
    model = fields.String(required=True)
    applied = fields.Boolean(
        required=True, metadata={"description": "False, too, if nothing was recognised."}
    )
    revision = fields.Integer(required=True, metadata={"description": "Of the transcript."})
