"""Flat payloads: the recording of an event as one object, without the event."""

from __future__ import annotations

from typing import Any

from speakr.db import db
from speakr.domain.events import EventType
from speakr.domain.flat_recordings import ALL_KEYS, FlatField, FlatRecording
from speakr.models import Event, Recording, Webhook
from speakr.services.recordings import flat


def body_of(event: Event, webhook: Webhook) -> dict[str, Any]:
    """Return the recording of an event as it is in the caller's transaction.

    If there is none, because it was deleted or the event is a test, all texts but the title are empty.
    """
    recording = None if event.recording_id is None else flat.of_recording(event.recording_id)
    if recording is None:
        recording = FlatRecording(
            id=event.recording_id or 0,
            title=event.data.get("title") or "Test",
            text="",
            recognized_text="",
            tags="",
            created_at=event.occurred_at,
        )
    keys = webhook.payload_keys
    return recording.as_object(
        ALL_KEYS if keys is None else {key: FlatField(field) for key, field in keys.items()}
    )


def is_new_recording(event: Event) -> bool:
    """Tell whether an event stores the first transcript of a recording: each one after it makes a new revision."""
    if event.type is not EventType.TRANSCRIPTION_COMPLETED or event.recording_id is None:
        return False
    recording = db.session.get(Recording, event.recording_id)
    return recording is not None and recording.transcript_revision == 0
