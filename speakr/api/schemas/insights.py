"""Schemas of insights."""

from __future__ import annotations

from marshmallow import fields

from speakr.api.schemas.fields import ClaimOut, SegmentSourceOut, bounded
from speakr.domain.insights import MAX_PER_LIST
from speakr.domain.statements import MAX_SOURCES
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
    sources = bounded(SegmentSourceOut, MAX_SOURCES)


class TopicOut(ClaimOut):
    """A subject of the recording."""

    name = fields.String(required=True)


class InsightsOut(Wire):
    """The insights of a transcript; before the first extraction, lists are empty and has_insights is false."""

    has_insights = fields.Boolean(required=True)
    key_points = bounded(KeyPointOut, MAX_PER_LIST)
    action_items = bounded(ActionItemOut, MAX_PER_LIST)
    chapters = bounded(ChapterOut, MAX_PER_LIST)
    topics = bounded(TopicOut, MAX_PER_LIST)
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
