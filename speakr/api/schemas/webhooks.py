"""Schemas of webhooks."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, post_dump, validate

from speakr.api.schemas.events import EventOut
from speakr.api.schemas.fields import (
    MAX_ELEMENTS,
    MAX_NAMES,
    NOT_BLANK,
    REQUIRED,
    RawText,
    StrictBoolean,
    Text,
    an_id,
    bounded,
    one_of,
)
from speakr.api.schemas.pages import PagedOut, page_of
from speakr.domain.events import EventType
from speakr.domain.flat_recordings import FlatField
from speakr.domain.headers import MAX_HEADERS, MAX_VALUE_LENGTH
from speakr.domain.webhooks import PayloadStyle, SampleStyle, WhenPaused
from speakr.services.webhooks.webhook_options import masked_headers
from speakr.web.wire import UtcDateTime, Wire

_EVENT = {"enum": [event.value for event in EventType]}
_URL = {"format": "uri", "maxLength": 500}
_MAX_IDS = 100
_MAX_IN_FLIGHT = 8
_MAX_PER_SECOND = 100
MAX_KEYS = 20
_MAX_KEY_LENGTH = 60
_KEYS = {
    "maxProperties": MAX_KEYS,
    "description": "Keys of a flat payload, each with what it has; null for all fields under their own names.",
    "example": {"title": "title", "note": "text"},
}
_ONLY_IF_SET = ("payload_keys", "preference")
_HEADERS = {
    "maxProperties": MAX_HEADERS,
    "description": "Sent with every delivery; names must not be those that Speakr sets itself.",
    "example": {"Authorization": "Bearer 0123"},
}


def _ids(what: str) -> Any:
    return fields.List(
        an_id(),
        allow_none=True,
        validate=validate.Length(max=_MAX_IDS),
        metadata={"description": f"Only events of recordings {what}; null or empty for all."},
    )


def _up_to(most: int, what: str) -> fields.Integer:
    return fields.Integer(
        strict=True,
        allow_none=True,
        validate=validate.Range(min=1, max=most),
        metadata={"description": what},
    )


class WebhookOut(Wire):
    """A webhook without its secret."""

    id = fields.Integer(required=True)
    user_id = fields.Integer(required=True)
    name = fields.String(required=True)
    url = fields.String(required=True)
    allow_http = fields.Boolean(required=True)
    events = bounded(fields.String(), MAX_NAMES)
    enabled = fields.Boolean(required=True)
    auto_paused = fields.Boolean(required=True)
    pause_reason = fields.String(required=True, allow_none=True)
    paused_at = UtcDateTime(required=True, allow_none=True)
    consecutive_failures = fields.Integer(required=True)
    created_at = UtcDateTime(required=True)
    updated_at = UtcDateTime(required=True)
    last_delivery_at = UtcDateTime(required=True, allow_none=True)
    tag_ids = bounded(fields.Integer(), _MAX_IDS, allow_none=True)
    folder_ids = bounded(fields.Integer(), _MAX_IDS, allow_none=True)
    payload = one_of(PayloadStyle, required=True)
    headers = fields.Function(
        masked_headers,
        metadata={
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "The names that are set; values are masked.",
        },
    )
    ordered = fields.Boolean(required=True, attribute="is_ordered")
    max_in_flight = fields.Integer(required=True, allow_none=True)
    max_per_second = fields.Integer(required=True, allow_none=True)
    when_paused = one_of(WhenPaused, required=True)
    payload_keys = fields.Dict(
        keys=fields.String(), values=fields.String(), metadata={"description": "Of flat payloads, if chosen."}
    )
    preference = fields.String(
        metadata={"description": "The preference that holds the address, if one does."}
    )

    @post_dump
    def without_unset(self, data: dict[str, Any], **_: object) -> dict[str, Any]:
        """Leave out what only some webhooks have."""
        return {name: value for name, value in data.items() if name not in _ONLY_IF_SET or value is not None}


class WebhookSecretOut(WebhookOut):
    """A webhook with its secret, which is in no other response, in both usual forms of the same bytes."""

    secret = fields.String(required=True)
    secret_standard = fields.String(
        required=True, metadata={"description": "The same secret for Standard Webhooks libraries."}
    )


class WebhookListOut(PagedOut):
    """A user's webhooks, newest first."""

    webhooks = page_of(WebhookOut)
    event_types = bounded(fields.String(), MAX_NAMES)
    max_per_user = fields.Integer(required=True)


class WebhookOptionsIn(Wire):
    """Options of a webhook besides address and events."""

    tag_ids = _ids("that have one of these tags")
    folder_ids = _ids("in one of these folders")
    payload = one_of(
        PayloadStyle,
        description="`thin`: ids only, if content must not leave the server. `flat`: the recording with its texts.",
    )
    payload_keys = fields.Dict(
        keys=fields.String(validate=validate.Length(min=1, max=_MAX_KEY_LENGTH)),
        values=one_of(FlatField),
        allow_none=True,
        validate=validate.Length(max=MAX_KEYS),
        metadata=_KEYS,
    )
    headers = fields.Dict(
        keys=fields.String(),
        values=fields.String(metadata={"maxLength": MAX_VALUE_LENGTH}),
        allow_none=True,
        validate=MAX_ELEMENTS,
        metadata=_HEADERS,
    )
    ordered = StrictBoolean(metadata={"description": "One at a time, in the order of events."})
    max_in_flight = _up_to(_MAX_IN_FLIGHT, "Concurrent deliveries; null for the server's own limit.")
    max_per_second = _up_to(_MAX_PER_SECOND, "Deliveries per second; null for no limit.")
    when_paused = one_of(WhenPaused, description="What happens to events during an automatic pause.")


class WebhookCreateIn(WebhookOptionsIn):
    """A new webhook. The service checks the fields in the documented order, so none is required here."""

    name = Text(load_default="", metadata={**REQUIRED, **NOT_BLANK, "example": "n8n pipeline"})
    url = RawText(
        load_default="", metadata={**REQUIRED, **_URL, "example": "https://hooks.example.com/speakr"}
    )
    events = fields.List(
        Text(metadata=_EVENT),
        load_default=list,
        validate=MAX_ELEMENTS,
        metadata={**REQUIRED, "minItems": 1, "example": ["recording.transcription.completed"]},
    )
    allow_http = StrictBoolean(load_default=False)
    enabled = StrictBoolean(load_default=True)


class WebhookUpdateIn(WebhookOptionsIn):
    """Fields to change; all optional."""

    name = Text(metadata=NOT_BLANK)
    url = RawText(validate=validate.Length(max=500), metadata=_URL)
    events = fields.List(Text(metadata=_EVENT), validate=MAX_ELEMENTS, metadata={"minItems": 1})
    allow_http = StrictBoolean()
    enabled = StrictBoolean()


class SampleQuery(Wire):
    """Which event to show."""

    event = one_of(EventType, load_default=EventType.SUMMARY_COMPLETED)
    payload = one_of(SampleStyle, load_default=SampleStyle.FULL)


class SampleOut(Wire):
    """A delivery as a receiver would get it, and the secret that signs it."""

    secret = fields.String(required=True)
    secret_standard = fields.String(required=True)
    headers = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    body = fields.String(required=True, metadata={"description": "The signed bytes as text."})
    envelope = fields.Nested(EventOut, required=True, metadata={"description": "The same as an object."})
