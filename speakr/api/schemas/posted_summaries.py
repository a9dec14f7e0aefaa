"""Schemas of summaries of posted texts."""

from __future__ import annotations

from marshmallow import fields, validate

from speakr.api.schemas.fields import Text, one_of
from speakr.domain.jobs import JobState
from speakr.domain.posted_texts import MAX_SEGMENTS, MAX_TEXT_LENGTH, MAX_TOPICS, MAX_WORDS, SummaryFormat
from speakr.web.wire import UtcDateTime, Wire

_TIME = {"minimum": 0, "description": "Seconds."}
_MAX_SEGMENT_LENGTH = 20_000


class PostedSegmentIn(Wire):
    """A segment of a posted transcript."""

    text = Text(required=True, validate=validate.Length(max=_MAX_SEGMENT_LENGTH))
    start = fields.Float(load_default=None, allow_none=True, allow_nan=False, metadata=_TIME)
    end = fields.Float(load_default=None, allow_none=True, allow_nan=False, metadata=_TIME)
    speaker = Text(load_default=None, allow_none=True, validate=validate.Length(max=100))


class PostedSummaryIn(Wire):
    """A text to summarise: `transcript` or `text`; the transcript counts if both are there."""

    transcript = fields.List(
        fields.Nested(PostedSegmentIn), load_default=list, validate=validate.Length(max=MAX_SEGMENTS)
    )
    text = Text(load_default="", validate=validate.Length(max=MAX_TEXT_LENGTH))
    format = one_of(SummaryFormat, load_default=SummaryFormat.PARAGRAPH)
    max_words = fields.Integer(strict=True, load_default=300, validate=validate.Range(min=10, max=MAX_WORDS))


class PostedSummaryOut(Wire):
    """A summary of a posted text. It can be read until `expires_at`."""

    id = fields.Integer(required=True)
    job_id = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf([state.value for state in JobState]))
    progress = fields.Integer(required=True)
    format = fields.String(required=True, validate=validate.OneOf(list(SummaryFormat)))
    max_words = fields.Integer(required=True)
    summary = fields.String(
        required=True, allow_none=True, metadata={"description": "null until the job has succeeded."}
    )
    topics = fields.List(fields.String(), required=True, validate=validate.Length(max=MAX_TOPICS))
    words = fields.Integer(required=True, metadata={"description": "Words of the summary."})
    engine = fields.String(required=True, allow_none=True)
    error_code = fields.String(required=True, allow_none=True)
    error_message = fields.String(required=True, allow_none=True)
    created_at = UtcDateTime(required=True)
    expires_at = UtcDateTime(required=True)
