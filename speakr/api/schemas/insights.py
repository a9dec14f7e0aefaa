"""Shapes of what was found in a transcript."""

from __future__ import annotations

from marshmallow import fields

from speakr.api.schemas.fields import ClaimOut, SegmentSourceOut
from speakr.web.wire import UtcDateTime, Wire


class KeyPointOut(ClaimOut):
    """A statement or decision that matters."""

    text = fields.String(required=True)


class ActionItemOut(ClaimOut):
    """Something somebody is to do."""

    text = fields.String(required=True)
    owner = fields.String(required=True, allow_none=True)
    due = fields.String(required=True, allow_none=True, metadata={"description": "As it was spoken."})
    due_at = UtcDateTime(required=True, allow_none=True)


class ChapterOut(Wire):
    """A stretch of the recording about one thing; times in seconds."""

    title = fields.String(required=True)
    start_time = fields.Float(required=True)
    end_time = fields.Float(required=True)
    sources = fields.List(fields.Nested(SegmentSourceOut), required=True)


class TopicOut(ClaimOut):
    """What is spoken about."""

    name = fields.String(required=True)


class InsightsOut(Wire):
    """What was found in a transcript; empty lists and has_insights false until somebody has looked."""

    has_insights = fields.Boolean(required=True)
    key_points = fields.List(fields.Nested(KeyPointOut), required=True)
    action_items = fields.List(fields.Nested(ActionItemOut), required=True)
    chapters = fields.List(fields.Nested(ChapterOut), required=True)
    topics = fields.List(fields.Nested(TopicOut), required=True)
    coverage = fields.Float(required=True, metadata={"description": "Share of segments read, 0 to 1."})
    engine = fields.String(required=True, allow_none=True)
    is_extractive = fields.Boolean(required=True, allow_none=True)
    is_current = fields.Boolean(
        required=True, metadata={"description": "False if the transcript has changed since."}
    )
    stale = fields.Boolean(
        required=True,
        metadata={
            "description": "There are insights, and the transcript has changed since.",
            "example": False,
        },
    )
    created_at = UtcDateTime(required=True, allow_none=True)
