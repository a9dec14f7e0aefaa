"""Event types, and the data of each."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, ClassVar


class EventType(StrEnum):
    """Types that a webhook can subscribe to, in the documented order."""

    RECORDING_CREATED = "recording.created"
    TRANSCRIPTION_STARTED = "recording.transcription.started"
    TRANSCRIPTION_COMPLETED = "recording.transcription.completed"
    TRANSCRIPTION_FAILED = "recording.transcription.failed"
    SUMMARY_COMPLETED = "recording.summary.completed"
    SUMMARY_FAILED = "recording.summary.failed"
    EVENTS_EXTRACTED = "recording.events.extracted"
    RECORDING_UPDATED = "recording.updated"
    RECORDING_DELETED = "recording.deleted"
    WEBHOOK_TEST = "webhook.test"


@dataclass(frozen=True, kw_only=True)
class EventData:
    """Base of the `data` object of an event. None values are left out on the wire."""

    type: ClassVar[EventType]

    def payload(self) -> dict[str, Any]:
        """Return the `data` object as it is sent."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class RecordingEvent(EventData):
    """Any event about one recording."""

    recording_id: int
    title: str


@dataclass(frozen=True, kw_only=True)
class RecordingCreated(RecordingEvent):
    """A recording was uploaded. `file_size` in bytes."""

    type: ClassVar[EventType] = EventType.RECORDING_CREATED
    file_size: int
    original_filename: str


@dataclass(frozen=True, kw_only=True)
class TranscriptionStarted(RecordingEvent):
    """A worker has started to transcribe."""

    type: ClassVar[EventType] = EventType.TRANSCRIPTION_STARTED


@dataclass(frozen=True, kw_only=True)
class TranscriptionCompleted(RecordingEvent):
    """The transcript is stored."""

    type: ClassVar[EventType] = EventType.TRANSCRIPTION_COMPLETED
    language: str | None = None
    audio_duration_seconds: float | None = None
    transcription_duration_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class TranscriptionFailed(RecordingEvent):
    """There is no transcript; `error` has at most 500 characters."""

    type: ClassVar[EventType] = EventType.TRANSCRIPTION_FAILED
    error: str


@dataclass(frozen=True, kw_only=True)
class SummaryCompleted(RecordingEvent):
    """A summary is stored, automatic or requested."""

    type: ClassVar[EventType] = EventType.SUMMARY_COMPLETED
    transcription_duration_seconds: float | None = None
    summarization_duration_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class SummaryFailed(RecordingEvent):
    """There is no summary; the transcript is safe."""

    type: ClassVar[EventType] = EventType.SUMMARY_FAILED
    error: str


@dataclass(frozen=True, kw_only=True)
class EventsExtracted(RecordingEvent):
    """Dated events were found in the transcript."""

    type: ClassVar[EventType] = EventType.EVENTS_EXTRACTED
    events_count: int


@dataclass(frozen=True, kw_only=True)
class RecordingUpdated(RecordingEvent):
    """A user changed fields of a recording."""

    type: ClassVar[EventType] = EventType.RECORDING_UPDATED
    fields_changed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RecordingDeleted(RecordingEvent):
    """A recording and its audio are gone."""

    type: ClassVar[EventType] = EventType.RECORDING_DELETED


@dataclass(frozen=True, kw_only=True)
class WebhookTest(EventData):
    """The webhook's owner requested a test delivery."""

    type: ClassVar[EventType] = EventType.WEBHOOK_TEST
    reason: str
    webhook_id: int


EVENTS: tuple[type[EventData], ...] = (
    RecordingCreated,
    TranscriptionStarted,
    TranscriptionCompleted,
    TranscriptionFailed,
    SummaryCompleted,
    SummaryFailed,
    EventsExtracted,
    RecordingUpdated,
    RecordingDeleted,
    WebhookTest,
)
