"""Schemas of insights."""

from __future__ import annotations

from marshmallow import fields

from speakr.api.schemas.fields import ClaimOut, SegmentSourceOut
from speakr.web.wire import UtcDateTime, Wire


class KeyPointOut(ClaimOut):
    """An important statement or decision."""

    text = fields.String(required=True)


class ActionItemOut(ClaimOut):
    """A task that someone is to do."""

    text = fields.String(required=True)
    owner = fields.String(required=True, allow_none=True)
    due = fields.String(required=True, allow_none=True, metadata={"description": "As it was said."})
    due_at = UtcDateTime(required=True, allow_none=True)


class ChapterOut(Wire):
    """A part of the recording about one subject; times in seconds."""

    title = fields.String(required=True)
    start_time = fields.Float(required=True)
    end_time = fields.Float(required=True)
    sources = fields.List(fields.Nested(SegmentSourceOut), required=True)


class TopicOut(ClaimOut):
    """A subject of the recording."""

    name = fields.String(required=True)


class InsightsOut(Wire):
    """The insights of a transcript; before the first extraction, lists are empty and has_insights is false."""

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
