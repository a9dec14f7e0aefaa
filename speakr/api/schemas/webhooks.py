"""Shapes of webhooks and their deliveries."""

from __future__ import annotations

from marshmallow import fields

from speakr.api.schemas.fields import NOT_BLANK, REQUIRED, StrictBoolean, Text, UtcDateTime, Wire, text
from speakr.domain.events import EventType

_EVENT = {"enum": [event.value for event in EventType]}
_URL = {"format": "uri", "maxLength": 500}


class WebhookOut(Wire):
    """A webhook without its secret."""

    id = fields.Integer(required=True)
    user_id = fields.Integer(required=True)
    name = fields.String(required=True)
    url = fields.String(required=True)
    allow_http = fields.Boolean(required=True)
    events = fields.List(fields.String(), required=True)
    enabled = fields.Boolean(required=True)
    auto_paused = fields.Boolean(required=True)
    pause_reason = fields.String(required=True, allow_none=True)
    consecutive_failures = fields.Integer(required=True)
    created_at = UtcDateTime(required=True)
    updated_at = UtcDateTime(required=True)
    last_delivery_at = UtcDateTime(required=True, allow_none=True)


class WebhookSecretOut(WebhookOut):
    """A webhook with its secret, shown this once, in both customary forms of the same bytes."""

    secret = fields.String(required=True)
    secret_standard = fields.String(
        required=True, metadata={"description": "The same secret for Standard Webhooks libraries."}
    )


class WebhookListOut(Wire):
    """All of a user's webhooks, newest first."""

    webhooks = fields.List(fields.Nested(WebhookOut), required=True)
    event_types = fields.List(fields.String(), required=True)
    max_per_user = fields.Integer(required=True)


class WebhookCreateIn(Wire):
    """A new webhook. The documented order of complaints is kept by the service, so nothing is required here."""

    name = Text(load_default="", metadata={**REQUIRED, **NOT_BLANK, "example": "n8n pipeline"})
    url = Text(load_default="", metadata={**REQUIRED, **_URL, "example": "https://hooks.example.com/speakr"})
    events = fields.List(
        Text(metadata=_EVENT),
        load_default=list,
        metadata={**REQUIRED, "minItems": 1, "example": ["recording.transcription.completed"]},
    )
    allow_http = StrictBoolean(load_default=False)
    enabled = StrictBoolean(load_default=True)


class WebhookUpdateIn(Wire):
    """Fields to change; all optional."""

    name = Text(metadata=NOT_BLANK)
    url = text(500, metadata=_URL)
    events = fields.List(Text(metadata=_EVENT), metadata={"minItems": 1})
    allow_http = StrictBoolean()
    enabled = StrictBoolean()


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
    next_retry_at = UtcDateTime(required=True, allow_none=True, attribute="next_attempt_at")
    created_at = UtcDateTime(required=True)
    delivered_at = UtcDateTime(required=True, allow_none=True)


class DeliveryDetailOut(DeliveryOut):
    """One delivery with its body."""

    payload = fields.String(
        required=True, attribute="body", metadata={"description": "The JSON text as sent."}
    )


class DeliveryListOut(Wire):
    """Deliveries, newest first."""

    deliveries = fields.List(fields.Nested(DeliveryOut), required=True)
    limit = fields.Integer(required=True)


class DeliveryListQuery(Wire):
    """How many."""

    limit = fields.String(
        load_default="50",
        metadata={"description": "1 to 200; other numbers are clamped, other texts mean 50."},
    )
