"""Schemas of events."""

from __future__ import annotations

from marshmallow import fields, validate

from speakr.api.schemas.fields import MAX_LIMIT, bounded, one_of, text
from speakr.domain.events import EventType
from speakr.web.wire import UtcDateTime, Wire


class EventOut(Wire):
    """An event, exactly as webhooks receive it."""

    id = fields.String(required=True)
    type = fields.String(required=True, validate=validate.OneOf([event.value for event in EventType]))
    timestamp = fields.String(required=True, metadata={"format": "date-time"})
    user_id = fields.Integer(required=True)
    data = fields.Dict(keys=fields.String(), required=True)
    replayed_from = fields.String()


class EventListOut(Wire):
    """Events, newest first."""

    events = bounded(EventOut, MAX_LIMIT)
    limit = fields.Integer(required=True)


class EventListQuery(Wire):
    """Which events."""

    since = UtcDateTime(metadata={"description": "Only events at this time or later."})
    type = one_of(EventType)
    before = text(100, metadata={"description": "The id of the last event on the previous page."})
    limit = fields.Integer(load_default=50, validate=validate.Range(min=1, max=MAX_LIMIT))
