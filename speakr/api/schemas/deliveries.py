"""Schemas of deliveries."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, post_load, validate

from speakr.api.schemas.fields import BIGGEST_ID, MAX_ELEMENTS, MAX_LIMIT, bounded, one_of
from speakr.domain.deliveries import DeliveryStatus
from speakr.domain.events import EventType
from speakr.services.webhooks.deliveries.recovery import RECOVERABLE
from speakr.web.wire import UtcDateTime, Wire

_RECOVERABLE = [status.value for status in RECOVERABLE]


class DeliveryOut(Wire):
    """One delivery."""

    id = fields.Integer(required=True)
    webhook_id = fields.Integer(required=True)
    event_id = fields.String(required=True, attribute="event_uuid")
    event_type = fields.String(required=True)
    attempt_count = fields.Integer(required=True)
    status = fields.String(required=True)
    response_status = fields.Integer(required=True, allow_none=True)
    response_body_preview = fields.String(required=True, allow_none=True)
    error_message = fields.String(required=True, allow_none=True)
    duration_ms = fields.Integer(
        required=True, allow_none=True, metadata={"description": "How long the last attempt took."}
    )
    next_retry_at = UtcDateTime(required=True, allow_none=True)
    created_at = UtcDateTime(required=True)
    delivered_at = UtcDateTime(required=True, allow_none=True)
    replayed_as = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The id of the event that sent this again when failures were recovered."},
    )


class DeliveryDetailOut(DeliveryOut):
    """One delivery with its body."""

    payload = fields.String(
        required=True, attribute="body", metadata={"description": "The JSON text as sent."}
    )


class DeliveryListOut(Wire):
    """Deliveries, newest first."""

    deliveries = bounded(DeliveryOut, MAX_LIMIT)
    limit = fields.Integer(required=True)


class DeliveryListQuery(Wire):
    """Which deliveries, and how many."""

    limit = fields.String(
        load_default="50",
        metadata={"description": "1 to 200; other numbers are clamped, other texts mean 50."},
    )
    status = one_of(DeliveryStatus)
    event_type = one_of(EventType)
    since = UtcDateTime(metadata={"description": "Only deliveries created at this time or later."})
    before = fields.Integer(
        validate=validate.Range(min=1, max=BIGGEST_ID),
        metadata={"description": "The id of the last delivery on the previous page."},
    )


class RecoverIn(Wire):
    """Which failures to send again."""

    since = UtcDateTime(required=True, metadata={"example": "2026-01-15T09:00:00Z"})
    status = fields.List(
        fields.String(validate=validate.OneOf(_RECOVERABLE)),
        load_default=_RECOVERABLE,
        validate=validate.Length(min=1, max=20),
    )
    event_types = fields.List(one_of(EventType), load_default=list, validate=MAX_ELEMENTS)

    @post_load
    def as_statuses(self, data: dict[str, Any], **_: object) -> dict[str, Any]:
        """Convert words to statuses; an `Enum` field would also document those that are not accepted."""
        return {**data, "status": [DeliveryStatus(word) for word in data["status"]]}


class RecoveredOut(Wire):
    """How many are sent again. `complete` is false if there are more: repeat the request then."""

    recovered = fields.Integer(required=True)
    complete = fields.Boolean(required=True, attribute="is_complete")


class CancelIn(Wire):
    """What to cancel."""

    event_types = fields.List(
        one_of(EventType),
        load_default=list,
        validate=MAX_ELEMENTS,
        metadata={"description": "Omit it for all."},
    )


class CancelledOut(Wire):
    """How many were cancelled."""

    cancelled = fields.Integer(required=True)
