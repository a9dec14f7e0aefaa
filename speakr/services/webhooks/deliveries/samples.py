"""Example deliveries, to test a receiver with."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from speakr.domain.clock import now
from speakr.domain.events import (
    EventData,
    EventsExtracted,
    EventType,
    RecordingCreated,
    RecordingDeleted,
    RecordingUpdated,
    SummaryCompleted,
    SummaryFailed,
    TranscriptionCompleted,
    TranscriptionFailed,
    TranscriptionStarted,
    WebhookTest,
)
from speakr.domain.permissions import Actor
from speakr.domain.signatures import delivery_headers, standard_secret
from speakr.domain.webhooks import PayloadStyle
from speakr.models import Event
from speakr.services.webhooks import events

SECRET = "G-yYHyEfGVY8n9ozz32jZzLUWEUqjR4jD_v7DackkGk"  # noqa: S105 - a public example, used by no webhook
"""Always the same, so that a receiver needs to be configured only once."""

_TITLE = "Stand-up"

EXAMPLES: tuple[EventData, ...] = (
    RecordingCreated(recording_id=2, title=_TITLE, file_size=960_044, original_filename="stand-up.wav"),
    TranscriptionStarted(recording_id=2, title=_TITLE),
    TranscriptionCompleted(
        recording_id=2,
        title=_TITLE,
        language="en",
        audio_duration_seconds=30.0,
        transcription_duration_seconds=7.391,
    ),
    TranscriptionFailed(recording_id=2, title=_TITLE, error="The file has no audio stream."),
    SummaryCompleted(
        recording_id=2,
        title=_TITLE,
        transcription_duration_seconds=7.391,
        summarization_duration_seconds=0.261,
    ),
    SummaryFailed(recording_id=2, title=_TITLE, error="The language model did not answer."),
    EventsExtracted(recording_id=2, title=_TITLE, events_count=2),
    RecordingUpdated(recording_id=2, title=_TITLE, fields_changed=("title", "notes")),
    RecordingDeleted(recording_id=2, title=_TITLE),
    WebhookTest(reason="Test delivery requested by the owner", webhook_id=1),
)
_BY_TYPE: Mapping[EventType, EventData] = {example.type: example for example in EXAMPLES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A complete delivery, and the secret that it is signed with."""

    secret: str
    secret_standard: str
    headers: Mapping[str, str]
    body: str
    envelope: Mapping[str, Any]


def make(actor: Actor, event_type: EventType, style: PayloadStyle) -> Sample:
    """Create a delivery of an example event, signed now."""
    moment = now()
    event = Event(
        uuid=str(uuid.uuid4()),
        user_id=actor.user_id,
        type=event_type,
        occurred_at=moment,
        data=_BY_TYPE[event_type].payload(),
    )
    envelope = events.envelope(event, style)
    body = orjson.dumps(envelope)
    return Sample(
        secret=SECRET,
        secret_standard=standard_secret(SECRET),
        headers=delivery_headers(
            event_id=event.uuid, event_type=event_type, body=body, secrets=(SECRET,), attempted_at=moment
        ),
        body=body.decode(),
        envelope=envelope,
    )
